"""What the recorded LiteLLM proxy loads: a custom auth of invented principals, and its spend-log rows.

`custom_auth` is LiteLLM's own extension point for proxies without a database. `rows` calls the same
function of LiteLLM that builds a row of its `LiteLLM_SpendLogs` table and posts the row instead of
storing it, so that the recording needs no Postgres.
"""

from __future__ import annotations

import json
import os
from typing import Any

from litellm.integrations.custom_logger import CustomLogger
from litellm.llms.custom_httpx.http_handler import get_async_httpx_client, httpxSpecialProvider
from litellm.proxy._types import UserAPIKeyAuth
from litellm.proxy.spend_tracking.spend_tracking_utils import get_logging_payload

PRINCIPALS = {
    "sk-invented-ada": {"user_id": "account-ada", "team_id": "team-tides", "org_id": "org-harbour"},
    "sk-invented-bo": {"user_id": None, "team_id": "team-quays", "org_id": "org-harbour"},
}


async def custom_auth(request: Any, api_key: str) -> UserAPIKeyAuth:
    """Return the invented principal behind a key."""
    alias = f"alias-{api_key.rpartition('-')[2]}"
    return UserAPIKeyAuth(api_key=api_key, key_alias=alias, **PRINCIPALS[api_key])


class SpendRows(CustomLogger):
    """Post each spend-log row to the collector."""

    async def async_log_success_event(self, kwargs, response_obj, start_time, end_time):  # type: ignore[no-untyped-def]
        await self._post(get_logging_payload(kwargs, response_obj, start_time, end_time))

    async def async_log_failure_event(self, kwargs, response_obj, start_time, end_time):  # type: ignore[no-untyped-def]
        # The proxy's own failure hook writes these two into the metadata before it builds the row.
        metadata = kwargs["litellm_params"].setdefault("metadata", {}) or {}
        information = dict(kwargs["standard_logging_object"]["error_information"])
        information.pop("traceback", None)
        metadata |= {"status": "failure", "error_information": information}
        kwargs["litellm_params"]["metadata"] = metadata
        await self._post(get_logging_payload(kwargs, response_obj, start_time, end_time))

    async def _post(self, row: Any) -> None:
        client = get_async_httpx_client(llm_provider=httpxSpecialProvider.LoggingCallback)
        await client.post(f"{os.environ['COLLECTOR']}/spend", data=json.dumps(row, default=str))


rows = SpendRows()
