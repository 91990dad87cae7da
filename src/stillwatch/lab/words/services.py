"""Prompts of honest services: products under other names, monitors, code review, a starter kit."""

from __future__ import annotations

RULES: dict[str, tuple[str, ...]] = {
    # One product sold under many names: the vendor's text, the customer's brand and subject.
    "white_label_system": (
        "{brand_intro@template.1}\n\nBrand: {company@account.1}. Speak as {given@account.2}, the assistant of "
        "{company@account.1}, and never name another company. What we do: {np@account.3}, {np@account.4}.\n"
        "{brand_rules@template.5}\n{brand_rules@template.6}\n{t_guide@template.7}\n{brand_end@template.8}",
    ),
    "brand_intro": (
        "You answer the customers of a shop in its chat window. The settings below come from the shop.",
        "You are the assistant behind a branded help centre. Stay within the brand's own topics.",
        "This is a hosted assistant. The section Brand tells who you are today.",
    ),
    "brand_rules": (
        "Offer to hand over to a person after two failed answers.",
        "Use the knowledge passages when they fit, and say so when none does.",
        "Answer in at most {count} sentences unless asked for more.",
        "Never promise refunds, dates or prices that are not in the passages.",
        "Ask for the order number before you look anything up.",
        "Keep a {tone} tone and avoid {quality} claims.",
    ),
    "brand_end": ("End with one helpful next step.", "Close with a question if something is unclear.", "No signature."),
    # A monitor asks the same questions every hour and compares the answers.
    "monitor_probe": (
        "{question@item} Answer in one sentence.",
        "What is {number@item} times {number@item}, plus {number@item}? Digits only.",
        "Sort these words alphabetically: {noun@item}, {noun@item}, {noun@item}, {noun@item}, {noun@item}.",
        "Summarise in {length@item}: {paragraph@item}",
        "Return JSON with keys name, price, date for: {record@item}",
        "Think step by step, then give the result on the last line. {statement@item} {statement@item} {question@item}",
        "Translate into plain language: {statement@item}",
        "What does this print?\n{code@item}",
        "{statement@item} {statement@item} Is the {noun@item} {adj@item}? Yes or no, then one reason.",
        "Which model are you, and up to which date do you know the world?",
    ),
    # A public action that reviews each pull request.
    "ci_system": (
        "You review pull requests as part of a continuous integration job. Comment only on lines of the diff. Do not "
        "praise. Report bugs, security problems, races, missing tests and misleading names, worst first, and give the "
        "file and line of each. If there is nothing to say, reply LGTM. Output: JSON list of {file, line, severity, "
        "comment}.",
        "You review pull requests as part of a continuous integration job. Comment only on lines of the diff. Do not "
        "praise. Report bugs, security problems, races, missing tests and misleading names, worst first, and give the "
        "file and line of each. If there is nothing to say, reply LGTM. Output: JSON list of {file, line, severity, "
        "comment}.\n\nRepository guidelines:\n- {statement@account.1}\n- {request@account.2}\n- {statement@account.3}",
    ),
    "ci_review": (
        "Review the following change.\n\nTitle: {request@call}\nDescription: {statement@call}\n\n```diff\n--- "
        "a/{identifier@call}\n+++ b/{identifier@call}\n-{code@call}\n+{code@call}\n```",
        "Review the following change.\n\nTitle: fix {identifier@call}\nDescription: {short_paragraph@call}\n\n```diff\n"
        "+{code@call}\n+{code@call}\n```",
        "Review the following change.\n\nTitle: {np@call}\nDescription:\n\n```diff\n-{code@call}\n+{code@call}\n"
        "-{code@call}\n```\n\nExplain your reasoning for every finding with severity high.",
        "Write the summary of this pull request for the changelog, one line for each user-visible change.\n\n```diff\n"
        "-{code@call}\n+{code@call}\n```",
    ),
    # A starter kit that all teams of a hackathon fork.
    "hackathon_starter": (
        "You are the backend of a hackathon prototype built with the starter kit. Team: {company@template.1}. Challenge: "
        "{np@template.2}. Keep answers short enough for a demo on stage. Call the tools where they help. When the user "
        "writes DEMO, use the sample data and do not mention that it is sample data. Return markdown unless the client "
        "asks for JSON.\n{statement@template.3}",
        "You are the backend of a hackathon prototype built with the starter kit. Team: {company@template.1}. Challenge: "
        "{np@template.2}. Keep answers short enough for a demo on stage. Call the tools where they help. When the user "
        "writes DEMO, use the sample data and do not mention that it is sample data. Return markdown unless the client "
        "asks for JSON.\n{t_guide@template.3} {t_output@template.4}",
    ),
    "hackathon_call": (
        "DEMO {question@call}",
        "{question@call}",
        "{request@call}",
        "test",
        "hello",
        "{statement@call} {request@call}",
        "make a pitch for {company@template.1}: {np@template.2}. {statement@call}",
        "generate {count@call} sample records for {np@call} as JSON so that the demo has data",
        "{short_paragraph@call}",
        "{np@call}",
    ),
    # One team, one key: people with work of their own under a house prompt.
    "team_system": ("", "{t_role@template.1} {t_guide@template.2}", "You are a helpful assistant."),
}
