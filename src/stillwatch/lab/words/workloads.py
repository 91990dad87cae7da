"""Prompts of look-alikes: assignments, evaluation items, judging, batch jobs, white-label products."""

from __future__ import annotations

RULES: dict[str, tuple[str, ...]] = {
    "assignment": (
        "Assignment {number@item}. {statement@item} {statement@item} {question@item} Use {np@item} and hand in "
        "{length@item}.",
    ),
    "class_prompt": (
        "{assignment@item.1}",
        "{assignment@item.1}",
        "{assignment@item.1} Explain step by step.",
        "{assignment@item.1}\n\n{thinking@call}",
        "can you help me with this: {assignment@item.1}",
        "{question@call} it is for homework: {assignment@item.1}",
        "{question@call} {statement@call}",
        "my answer so far: {paragraph@call}\n\nthe task was: {assignment@item.1} is this right?",
        "{follow_up@call}",
        "write the introduction for {np@call}. {assignment@item.1}",
    ),
    "evaluation_choice": (
        "The following is a multiple choice question about {level@item} topics. Reply with the letter only.\n\n"
        "{statement@item} {question@item}\nA. {np@item}\nB. {np@item}\nC. {np@item}\nD. {np@item}\nAnswer:",
    ),
    "evaluation_worked": (
        "Solve the problem. Think step by step and put the final answer after ####.\n\nProblem: {statement@item} "
        "{statement@item} A {noun@item} costs {money@item} and there are {number@item} of them. {question@item}",
    ),
    "evaluation_code": (
        "Complete the function. Return code only, no commentary.\n\n```\n{code@item}\n```\n# {statement@item}",
    ),
    "judge_rubric": (
        "{judge_opening@template}\n\nRubric:\n- {t_guide@template.1}\n- {t_task@template.2}\n- {judge_criterion@template}\n\n"
        "User request:\n{request@item} {statement@item}\n\nAssistant reply:\n{paragraph@item}\n\n{judge_closing@template}",
    ),
    "judge_opening": (
        "You grade replies of our {noun} assistant before they reach customers.",
        "Act as quality reviewer for {company}. Grade one reply against the rubric.",
        "Score the reply below. You are strict about {quality} and lenient about {quality}.",
    ),
    "judge_criterion": (
        "Explain your reasoning for each criterion.",
        "Quote the sentence that decided it.",
        "Deduct a point for {np}.",
    ),
    "judge_closing": ("Score (1-5) and reason:", "Return JSON with score and rationale.", "Verdict:"),
    "enterprise_mail": (
        "{t_task@template.1} {t_guide@template.2}\n\n{record@call}\n\n{paragraph@call}",
        "Internal request, {company@template}. {t_task@template.3} Topic: {np@call}. {statement@call}",
    ),
}
