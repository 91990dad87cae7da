"""The instrumented program: OpenAI and Anthropic calls under one OpenTelemetry instrumentation.

Run by `record_fixtures.py` in the instrumentation's own environment:
`python otel_program.py INSTRUMENTATION UPSTREAM TRACES LOGS`.
"""

from __future__ import annotations

import sys
from typing import Any

import anthropic
import calls
import openai
from opentelemetry import baggage, context
from opentelemetry.exporter.otlp.json.file._log_exporter import FileLogExporter
from opentelemetry.exporter.otlp.json.file.trace_exporter import FileSpanExporter
from opentelemetry.processor.baggage import ALLOW_ALL_BAGGAGE_KEYS, BaggageLogProcessor, BaggageSpanProcessor
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

PRINCIPAL = {
    "user.id": "account-ada",
    "session.id": "session-3",
    "client.address": "203.0.113.9",
    "user_agent.original": "harbour-app/2.1",
}
"""What the conventions leave to the operator: it rides on the baggage and lands on every span."""


def instrument(name: str, tracers: TracerProvider, loggers: LoggerProvider) -> None:
    """Switch on one instrumentation by its name."""
    arguments: dict[str, Any] = {"tracer_provider": tracers, "logger_provider": loggers}
    if name == "genai":
        from opentelemetry.instrumentation.genai.anthropic import AnthropicInstrumentor
        from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

        AnthropicInstrumentor().instrument(**arguments)
    elif name == "openai-v2":
        from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor
    else:
        from openinference.instrumentation.openai import OpenAIInstrumentor
    OpenAIInstrumentor().instrument(**arguments)


def main() -> None:
    """Make every call, one principal for all of them."""
    name, upstream, traces, logs = sys.argv[1:]
    resource = Resource({"service.name": "harbour-app", "deployment.environment.name": "invented"})
    tracers = TracerProvider(resource=resource)
    tracers.add_span_processor(BaggageSpanProcessor(ALLOW_ALL_BAGGAGE_KEYS))
    tracers.add_span_processor(SimpleSpanProcessor(FileSpanExporter(traces)))
    loggers = LoggerProvider(resource=resource)
    loggers.add_log_record_processor(BaggageLogProcessor(ALLOW_ALL_BAGGAGE_KEYS))
    loggers.add_log_record_processor(SimpleLogRecordProcessor(FileLogExporter(logs)))
    instrument(name, tracers, loggers)

    current = context.get_current()
    for key, value in PRINCIPAL.items():
        current = baggage.set_baggage(key, value, current)
    context.attach(current)
    client = openai.OpenAI(base_url=f"{upstream}/v1", api_key="sk-invented", max_retries=0)
    with tracers.get_tracer("harbour-app").start_as_current_span("POST /ask"):
        calls.run(calls.openai_calls(client), openai.APIError)
    if name == "genai":
        messages = anthropic.Anthropic(base_url=upstream, api_key="sk-invented", max_retries=0)
        calls.run(calls.anthropic_calls(messages), anthropic.APIError)
    tracers.shutdown()
    loggers.shutdown()


if __name__ == "__main__":
    main()
