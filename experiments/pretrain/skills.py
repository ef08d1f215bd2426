"""Four instruction sets, each one skill in one style, of clearly different length.

| set       | instruction                                  | output                                   |
| sums      | a small sum in words, bare or as a tale      | the equation in digits: `3 + 4 = 7`      |
| dates     | a spoken date, bare or inside a sentence     | `1994-05-03`                             |
| opposites | two to five statements                       | one sentence: `No, Anna is sad and ...`  |
| extract   | a story of two to four sentences             | `Card: { person: Anna; location: park}`  |
"""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random

import world as w
from episode import draw_episode

DATA = Path(__file__).resolve().parent.parent / "demo" / "data"
TRAIN_ROWS, HELDOUT_ROWS = 400, 64

Row = dict[str, str]


def sums(rng: Random) -> Row:
    a, b = rng.randint(1, 10), rng.randint(1, 10)
    name, food = rng.choice(w.PEOPLE).name, rng.choice(w.FOODS)
    left, right, total = w.NUMBER_WORDS[a], w.NUMBER_WORDS[b], w.NUMBER_WORDS[a + b]
    instruction, output = rng.choice([
        (f"{left} plus {right}", f"{a} + {b} = {a + b}"),
        (f"{total} minus {right}", f"{a + b} - {b} = {a}"),
        (f"What is {left} plus {right}?", f"{a} + {b} = {a + b}"),
        (f"What is {total} minus {right}?", f"{a + b} - {b} = {a}"),
        (f"{name} has {left} {food} and buys {right}.", f"{a} + {b} = {a + b}"),
        (f"{name} has {total} {food} and eats {right}. How many are left?", f"{a + b} - {b} = {a}"),
    ])
    return {"instruction": instruction, "output": output}


def dates(rng: Random) -> Row:
    day, month, year = rng.randint(1, 28), rng.randint(1, 12), rng.randint(1950, 2029)
    spoken = f"the {w.ORDINALS[day - 1]} of {w.MONTHS[month - 1]} {year}"
    p = rng.choice(w.PEOPLE)
    instruction = rng.choice([
        f"Write the date: {spoken}.",
        f"Today is {rng.choice(w.DAYS)}, {spoken}. Write the date.",
        f"{p.name} was born on {spoken} in {p.town} and is now {w.article(p.job)}. Write the date.",
        f"On {spoken}, {p.name} bought {w.article(rng.choice(w.COLOURS))} {rng.choice(w.OBJECTS)}. Write the date.",
    ])
    return {"instruction": instruction, "output": f"{year}-{month:02d}-{day:02d}"}


def opposites(rng: Random) -> Row:
    """The statements are joined into one sentence, so that the answer is not a copy with some words swapped."""
    count = rng.randint(2, 5)
    statements, answers = [], []
    for subject in rng.sample([p.name for p in w.PEOPLE] + [f"the {o}" for o in w.OBJECTS], count):
        pairs = w.THING_OPPOSITES if subject.startswith("the ") else w.PERSON_OPPOSITES
        word = rng.choice(rng.choice(pairs))
        statements.append(f"{subject[0].upper()}{subject[1:]} is {word}.")
        answers.append(f"{subject} is {w.opposite_of(word, pairs)}")
    return {"instruction": "Say the opposite. " + " ".join(statements), "output": f"No, {w.listed(answers)}."}


def extract(rng: Random) -> Row:
    """Every key follows a space: `{who` is cut into tokens that never occur in pre-training, and an adapter on the
    attention layers cannot raise the frozen output row of such a token (lengths.py counts them).
    """
    episode = draw_episode(rng, rng.randint(2, 4))
    fields = {"person": episode.who, "other person": episode.friend, "object": episode.thing,
              "location": episode.place, "time": episode.when}
    asked = rng.sample(list(fields), rng.randint(2, 5))
    record = "; ".join(f"{field}: {fields[field]}" for field in asked)
    return {"instruction": f"{episode.story} Fill in: {', '.join(asked)}.", "output": f"Card: {{ {record}}}"}


SETS: dict[str, Callable[[Random], Row]] = {
    "sums": sums, "dates": dates, "opposites": opposites, "extract": extract,
}


def draw_rows(name: str) -> tuple[list[Row], list[Row]]:
    """Distinct instructions only, so that the held-out rows cannot occur in training."""
    rng = Random(f"{w.SEED}/{name}")
    rows: dict[str, Row] = {}
    while len(rows) < TRAIN_ROWS + HELDOUT_ROWS:
        row = SETS[name](rng)
        rows.setdefault(row["instruction"], row)
    drawn = list(rows.values())
    # Short forms run out of fresh instructions late in the draw; shuffle, or the two parts would differ in mix.
    rng.shuffle(drawn)
    return drawn[:TRAIN_ROWS], drawn[TRAIN_ROWS:]


def write_sets() -> None:
    DATA.mkdir(parents=True, exist_ok=True)
    for name in SETS:
        train, heldout = draw_rows(name)
        assert not {r["instruction"] for r in train} & {r["instruction"] for r in heldout}
        for part, rows in (("train", train), ("heldout", heldout)):
            (DATA / f"{name}.{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
