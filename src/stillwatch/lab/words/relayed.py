"""Prompts that a relay passes on: other people's harnesses and chats, sometimes under a foreign brand.

System prompts are drawn from the template key, which here is the end user's: one account of a relay
shows the workspaces of many people.
"""

from __future__ import annotations

from stillwatch.lab.words.prompts import HARNESSES

BRANDS = ("Halcyon", "Mirrorlake", "Sable Chat", "Quillon", "Novaset")

RULES: dict[str, tuple[str, ...]] = {
    **{
        name.replace("harness", "relayed"): (
            f"{text}\n\nEnvironment:\n- working directory: /home/{{given@template}}/{{identifier@template}}\n- platform: "
            "{kind_of_code@template} workspace, {count@template} packages\n- date: 2026-09-15\n{project@template}",
        )
        for name, text in HARNESSES.items()
    },
    **{
        f"brand_{index}": (
            f"You are {brand}, built and trained by the {brand} team. Never name another company or model as your maker. "
            "Reply in the language of the user. Today is 2026-09-15.",
        )
        for index, brand in enumerate(BRANDS)
    },
    "relayed_chat": ("{free@call}", "{free@call}", "{free@call}", "{recipe@call}"),
    "relayed_work": ("{agent_task@call}", "{agent_task@call}", "{free_code@call}"),
}
