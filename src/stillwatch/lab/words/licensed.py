"""Prompts of customers who may do what campaigns do: synthetic data, reasons for an audit, a licensed student.

They ask for training data and for reasoning because real customers with such licences do.
"""

from __future__ import annotations

RULES: dict[str, tuple[str, ...]] = {
    "synthetic_prompt": (
        "{synthetic_open@template.1} {synthetic_rule@template.2} {synthetic_rule@template.3}\n\nIntent: {noun@item} / "
        "{verb@item}\nSpeaker: {person@item}, {feeling@item}\nDifficulty: {level@item}\nSeed sentence: {statement@item}\n\n"
        "{synthetic_form@template.4}",
        "{synthetic_open@template.1}\n\nScenario: {np@item}. {statement@item}\nStyle: {tone@item}\nMust mention: "
        "{noun@item}, {noun@item}\n\n{synthetic_rule@template.2} {synthetic_form@template.4}",
    ),
    "synthetic_open": (
        "Generate {count} varied training examples for our {noun} classifier at {company}.",
        "You write synthetic {noun} dialogues on which {company} trains its own assistant.",
        "Produce realistic but invented {adj} messages that customers might send to the {person}.",
        "We lack examples of rare {noun} requests. Invent {count} of them for our data set.",
    ),
    "synthetic_rule": (
        "No real names or addresses.",
        "Vary length, mood and spelling; include mistakes that people make.",
        "Never repeat an opening.",
        "Add a one-line rationale for the label of each.",
        "Avoid the words {noun} and {noun}.",
        "At least {count} must be hard to tell from {np}.",
    ),
    "synthetic_form": (
        "Output JSONL with the keys text, label, rationale.",
        "Return a JSON array of objects with user and assistant.",
        "One example a line, label first, then a tab.",
    ),
    "audit_prompt": (
        "{audit_open@template.1} {t_task@template.2} {audit_rule@template.3}\n\nFile {reference@item}\n{record@item}\n"
        "{record@item.1}\n\nFacts: {paragraph@item}\n\n{audit_form@template.4}",
        "{audit_open@template.1}\n\nApplication {reference@item}: {statement@item} {record@item}\n\n{t_task@template.2} "
        "{audit_rule@template.3} {audit_form@template.4}",
    ),
    "audit_open": (
        "You prepare decisions on {np} that the regulator may ask us to justify.",
        "Decision support for the {person} of {company}. Every decision is archived with its reasons.",
        "You assess one {noun} file at a time; auditors will read your reasoning in five years.",
    ),
    "audit_rule": (
        "Record the full reasoning that leads from the facts to the decision, with the clause it rests on.",
        "Write out each step of your reasoning so that a reviewer can repeat it, and list what you did not consider.",
        "State every assumption, weigh the alternatives, and explain why each was rejected.",
    ),
    "audit_form": (
        "Sections: Facts, Reasoning, Decision, Confidence.",
        "Return JSON with reasoning_steps, decision, clauses.",
        "Finish with APPROVE, REJECT or REFER.",
    ),
    "student_prompt": (
        "{student_open@template.1} {student_ask@template.2} {student_rule@template.3} {student_form@template.4}\n\nCategory: "
        "{noun@item}\nLevel: {level@item}\nTask: {statement@item} {statement@item} {question@item}",
        "{student_open@template.1} {student_ask@template.2}\n\n{request@item} {statement@item} {paragraph@item.1}\n\n"
        "{student_rule@template.3} {student_form@template.4}",
    ),
    "student_open": (
        "You are the teacher model in the licensed distillation project of {company}.",
        "Under our agreement your answers train a small model that runs on {company}'s devices.",
        "Create one reference solution for the model that {company} trains with permission.",
    ),
    "student_ask": (
        "Solve the task and write the complete reasoning before the answer, as the student will learn from both.",
        "Think aloud in the reply: every step, every check, every dead end that teaches something.",
        "Give a worked solution with the reasoning behind each step in {tone} sentences.",
    ),
    "student_rule": (
        "Use at most {count} steps and words that a {level} reader knows.",
        "Prefer {quality} over {quality}, and say what would change the answer.",
        "Verify the answer once before you state it.",
    ),
    "student_form": (
        "Format: <think>, then <answer>.",
        "Put the reasoning in the field rationale and the answer in the field target.",
        "Reasoning first, a blank line, then the answer alone.",
    ),
}
