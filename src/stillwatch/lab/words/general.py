"""Word lists that every topic uses, and made-up figures, names and identifiers."""

from __future__ import annotations

from stillwatch.lab.streams import stream

_LISTS = {
    "adverb": """quickly slowly carefully roughly exactly nearly rarely usually sometimes often already still
    finally suddenly quietly mostly partly fully barely clearly oddly neatly safely cheaply honestly reliably
    eventually immediately occasionally repeatedly""",
    "quality": """accuracy speed cost clarity safety fairness simplicity durability comfort quality effort risk
    time energy trust patience attention detail coverage balance consistency reach taste scale""",
    "feeling": """confused stuck curious worried excited unsure frustrated surprised relieved lost hopeful tired
    impressed nervous sceptical""",
    "size": """small medium large tiny huge modest typical ordinary average enormous""",
    "ordinal": """first second third fourth fifth last next previous final""",
    "count": """two three four five six seven eight nine ten twelve fifteen twenty fifty hundred""",
    "weekday": """Monday Tuesday Wednesday Thursday Friday Saturday Sunday""",
    "month": """January February March April May June July August September October November December""",
    "tone": """friendly formal plain neutral upbeat sober playful precise polite direct relaxed academic dry warm
    reassuring""",
    "format": """table list bullet_list paragraph summary checklist outline timeline comparison email memo report
    script haiku letter dialogue spreadsheet_layout step_list decision_tree glossary""",
    "length": """one_sentence two_sentences three_sentences one_paragraph two_paragraphs 50_words 80_words 100_words
    150_words 200_words 300_words 500_words one_page half_a_page five_bullets ten_bullets""",
    "given": """Ada Bruno Carmen Dario Elif Farid Greta Hana Ivo Jana Kofi Lena Marta Nils Olu Paula Quentin Rosa
    Sami Tariq Ulla Vera Wen Xenia Yusuf Zora Amir Bea Chidi Dora Emil Fay Gus Hugo Ines Jude Kira Leo Mina Noor
    Otto Priya Remy Sofia Tomas Uma Viktor Willa Yara Zeno""",
    "family": """Aldous Barton Castell Dimitrov Eklund Fontaine Garrido Halloran Ibsen Jansson Kowal Lindqvist
    Moreau Navarro Okafor Petrov Quispe Rossi Sandoval Takeda Ueda Varga Whitlock Xu Yilmaz Zeman Adeyemi Bianchi
    Chandra Duarte Esposito Ferrer Gupta Haddad Ito Joshi Klein Lopes Mbeki Novak""",
    "company": """Northfield Bluepeak Harbourline Quartzworks Silverfern Oakbridge Tidewater Lumenary Redcliff
    Greenhollow Ironwood Skylark Stonegate Windrose Copperfield Brightwater Millrace Foxglove Highmoor Larkspur
    Kestrel Juniper Riverbend Saltmarsh Thornbury Underhill Violetta Westbrook Yellowstone_Pine Zephyr Ashgrove
    Birchwood""",
    "identifier": """user_id order_total retry_count parse_line load_page send_batch max_depth next_token is_valid
    row_index cache_key build_tree open_file merge_rows hash_map node_list on_click read_bytes start_time end_time
    total_sum item_price write_log base_url api_client event_name file_path page_size walk_graph new_state
    old_state left_child right_child current_user apply_patch check_limit flush_buffer""",
    "kind_of_code": """Python TypeScript Rust Go Java C++ Kotlin SQL Bash Ruby C# Swift Scala""",
    "level": """beginner intermediate advanced expert school_level first_year final_year graduate professional
    competition""",
}

_FIGURES = 3_000
"""Made-up figures of each kind: enough that a figure alone ties no two texts together."""


def word_lists() -> dict[str, tuple[str, ...]]:
    """Return every list by name."""
    lists = {name: tuple(w.replace("_", " ") for w in text.split()) for name, text in _LISTS.items()}
    lists["identifier"] = tuple(_LISTS["identifier"].split())
    rng = stream(0, "figures")
    whole = rng.lognormal(5.0, 2.5, _FIGURES).astype(int)
    lists["number"] = tuple(str(value) for value in whole)
    lists["money"] = tuple(f"{value:,.2f}" for value in rng.lognormal(5.5, 2.0, _FIGURES))
    lists["percent"] = tuple(f"{value:.1f}%" for value in rng.beta(1.5, 3.0, _FIGURES) * 100)
    days = rng.integers(0, 3_600, _FIGURES)
    lists["date"] = tuple(f"{2016 + d // 360}-{1 + d // 30 % 12:02d}-{1 + d % 28:02d}" for d in days.tolist())
    minutes = rng.integers(0, 1_440, _FIGURES)
    lists["clock"] = tuple(f"{m // 60:02d}:{m % 60:02d}" for m in minutes.tolist())
    codes = rng.integers(0, 1 << 40, _FIGURES)
    lists["reference"] = tuple(f"{c:010x}"[:8].upper() for c in codes.tolist())
    lists["host"] = tuple(
        f"https://{w}.example/{c % 9973}" for w, c in zip(_words(_FIGURES), codes.tolist(), strict=True)
    )
    return lists


def _words(count: int) -> list[str]:
    names = _LISTS["company"].lower().replace("_", "-").split()
    return [names[i % len(names)] + ("" if i < len(names) else f"-{i // len(names)}") for i in range(count)]
