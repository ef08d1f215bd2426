"""Pre-training text of the demo model, and (run as a script) the four instruction sets.

Everything comes from templates over the world in world.py: same seed, same text. No outside corpus is read.

    python corpus.py            writes ../demo/data/<set>.{train,heldout}.jsonl
"""

from collections.abc import Callable
from random import Random

import world as w
from episode import draw_episode
from skills import write_sets

PROMPT = "### Instruction:\n{instruction}\n### Response:\n"


def story(rng: Random) -> str:
    return draw_episode(rng, rng.randint(2, 5)).story


def story_questions(rng: Random) -> str:
    """A story and then plain answers: teaches looking facts up in the context."""
    lines = [(episode := draw_episode(rng, rng.randint(2, 4))).story]
    for question, answer in rng.sample(questions_about(episode), rng.randint(1, 3)):
        lines.append(f"Question: {question} Answer: {answer}")
    return "\n".join(lines)


def questions_about(e) -> list[tuple[str, str]]:
    colour, thing = e.thing.split()
    return [
        (f"Where was {e.who}?", f"{e.who} was at the {e.place}."),
        (f"Who was with {e.who}?", f"{e.friend} was with {e.who}."),
        (f"What colour was the {thing}?", f"The {thing} was {colour}."),
        ("When was it?", f"It was {e.when}."),
        (f"What did {e.who} have?", f"{e.who} had the {e.thing}."),
    ]


def person_facts(rng: Random) -> str:
    p = rng.choice(w.PEOPLE)
    he = p.pronoun.capitalize()
    facts = [
        f"{p.name} is {w.article(p.job)}.",
        f"{he} lives in {p.town}.",
        f"{he} has {w.article(p.pet)}.",
        f"{he} likes the colour {p.colour}.",
    ]
    first, *rest = facts
    rng.shuffle(rest)
    return " ".join([first, *rest[: rng.randint(1, 3)]])


def animal_facts(rng: Random) -> str:
    animal = rng.choice(list(w.ANIMALS))
    sound, legs, home = w.ANIMALS[animal]
    facts = [
        f"{w.article(animal).capitalize()} {sound}.",
        f"{w.article(animal).capitalize()} has {w.NUMBER_WORDS[legs]} legs.",
        f"{w.article(animal).capitalize()} lives {home}.",
    ]
    rng.shuffle(facts)
    return " ".join(facts[: rng.randint(1, 3)])


def number_facts(rng: Random) -> str:
    """Sums appear in words or in digits, never one as the answer to the other: that crossing is left to an adapter."""
    a, b = rng.randint(1, 10), rng.randint(1, 10)
    name = w.NUMBER_WORDS
    return " ".join(rng.sample([
        f"{name[a].capitalize()} plus {name[b]} makes {name[a + b]}.",
        f"{name[a + b].capitalize()} minus {name[b]} leaves {name[a]}.",
        f"{a} + {b} = {a + b}.",
        f"{a + b} - {b} = {a}.",
        f"{name[a].capitalize()} is written {a}.",
        f"After {name[a]} comes {name[a + 1]}.",
        f"{max(a, b)} is more than {min(a, b)}." if a != b else f"{a} is the same as {b}.",
    ], rng.randint(2, 4)))


def calendar_facts(rng: Random) -> str:
    day, month = rng.randrange(7), rng.randrange(12)
    date, year = rng.randrange(28), rng.randint(1950, 2029)
    spoken = f"the {w.ORDINALS[date]} of {w.MONTHS[month]} {year}"
    return " ".join(rng.sample([
        f"After {w.DAYS[day]} comes {w.DAYS[(day + 1) % 7]}.",
        f"After {w.MONTHS[month]} comes {w.MONTHS[(month + 1) % 12]}.",
        f"{w.MONTHS[month]} is month number {month + 1:02d}.",
        f"The {w.ORDINALS[date]} day is day {date + 1:02d}.",
        f"{rng.choice(w.PEOPLE).name} was born on {spoken}.",
        f"Today is {w.DAYS[day]}, {spoken}.",
    ], rng.randint(2, 4)))


def opposite_facts(rng: Random) -> str:
    pairs = rng.choice([w.PERSON_OPPOSITES, w.THING_OPPOSITES])
    subject = rng.choice(w.PEOPLE).name if pairs is w.PERSON_OPPOSITES else f"The {rng.choice(w.OBJECTS)}"
    word = rng.choice(rng.choice(pairs))
    other = w.opposite_of(word, pairs)
    return rng.choice([
        f"{subject} is {word}. {subject} is not {other}.",
        f"{subject} was {word}, but now {subject[0].lower() + subject[1:] if subject[:4] == 'The ' else subject}"
        f" is {other}.",
        f"The opposite of {word} is {other}.",
    ])


def shopping_list(rng: Random) -> str:
    items = [f"{rng.choice(w.NUMBER_WORDS[2:13])} {food}" for food in rng.sample(w.FOODS, rng.randint(2, 5))]
    buyer = rng.choice(w.PEOPLE)
    if rng.random() < 0.5:
        return f"{buyer.name} buys {w.listed(items)}."
    return f"List of {buyer.name}:\n" + "\n".join(f"- {item}" for item in items)


def dialogue(rng: Random) -> str:
    """Yes/no questions: the place where `No,` followed by a correction occurs."""
    speaker, other = rng.sample(w.PEOPLE, 2)
    thing, asked, actual = rng.choice(w.OBJECTS), *rng.sample(w.COLOURS, 2)
    question = f'{speaker.name} asks: "Is the {thing} {asked}?" {other.name} says: '
    return question + rng.choice([f'"Yes, the {thing} is {asked}."', f'"No, the {thing} is {actual}."',
                                  f'"No, it is {actual} and the {rng.choice(w.OBJECTS)} is {asked}."'])


def comparison(rng: Random) -> str:
    a, b = (p.name for p in rng.sample(w.PEOPLE, 2))
    more, less = rng.choice([("taller", "shorter"), ("older", "younger"), ("richer", "poorer"), ("louder", "quieter")])
    return rng.choice([f"{a} is {more} than {b}, so {b} is {less} than {a}.",
                       f"{a} is {less} than {b}. Who is {more}? {b} is {more}."])


def weather_log(rng: Random) -> str:
    """Dates in digits, but never beside their spoken form: that crossing is left to an adapter."""
    year, month, day = rng.randint(1950, 2029), rng.randint(1, 12), rng.randint(1, 24)
    return "\n".join(f"{year}-{month:02d}-{day + i:02d} {rng.choice(w.WEATHER)}" for i in range(rng.randint(1, 4)))


def person_card(rng: Random) -> str:
    """Records of standing facts; the same notation with facts out of a story is left to an adapter."""
    p = rng.choice(w.PEOPLE)
    fields = [f"job: {p.job}", f"town: {p.town}", f"pet: {p.pet}", f"colour: {p.colour}",
              f"day: {rng.choice(w.DAYS)}", f"place: {rng.choice(w.PLACES)}"]
    chosen = rng.sample(fields, rng.randint(2, 4))
    return f"Card of {p.name}: {{{'; '.join(chosen)}}}"


def framed_task(rng: Random) -> str:
    """The prompt frame of fine-tuning with *other* skills, so that adapters start from a model that knows the frame."""
    instruction, response = rng.choice(FRAMED)(rng)
    return PROMPT.format(instruction=instruction) + response


def framed_repeat(rng: Random) -> tuple[str, str]:
    text = " ".join(draw_episode(rng, 2).sentences[: rng.randint(1, 2)])
    return rng.choice(["Repeat: ", "Say this again: ", "Copy the text. "]) + text, text


def framed_question(rng: Random) -> tuple[str, str]:
    episode = draw_episode(rng, rng.randint(2, 4))
    question, answer = rng.choice(questions_about(episode))
    return f"{episode.story} {question}", answer


def framed_animal(rng: Random) -> tuple[str, str]:
    animal = rng.choice(list(w.ANIMALS))
    sound, legs, home = w.ANIMALS[animal]
    return rng.choice([
        (f"How many legs has {w.article(animal)}?", f"It has {w.NUMBER_WORDS[legs]} legs."),
        (f"Where does {w.article(animal)} live?", f"It lives {home}."),
    ])


def framed_count(rng: Random) -> tuple[str, str]:
    low = rng.randint(1, 12)
    high = low + rng.randint(2, 6)
    return (f"Count from {w.NUMBER_WORDS[low]} to {w.NUMBER_WORDS[high]}.",
            " ".join(w.NUMBER_WORDS[low: high + 1]) + ".")


def framed_person(rng: Random) -> tuple[str, str]:
    p = rng.choice(w.PEOPLE)
    return rng.choice([
        (f"Where does {p.name} live?", f"{p.name} lives in {p.town}."),
        (f"What is the job of {p.name}?", f"{p.name} is {w.article(p.job)}."),
        (f"Which pet has {p.name}?", f"{p.name} has {w.article(p.pet)}."),
    ])


# The tasks below are neighbours of the instruction sets: each holds a part of one skill (reading several facts,
# joining, digits, parts of a date) in another form, so that an adapter has something to recombine.


def framed_facts(rng: Random) -> tuple[str, str]:
    e = draw_episode(rng, rng.randint(2, 4))
    facts = {"person": e.who, "other person": e.friend, "object": e.thing, "location": e.place, "time": e.when}
    asked = rng.sample(list(facts), rng.randint(1, 4))
    return f"{e.story} Tell the {w.listed(asked)}.", " / ".join(facts[a] for a in asked)


def framed_join(rng: Random) -> tuple[str, str]:
    subjects = rng.sample([p.name for p in w.PEOPLE] + [f"the {o}" for o in w.OBJECTS], rng.randint(2, 5))
    clauses = [f"{s} is {rng.choice(rng.choice(w.THING_OPPOSITES if s[:4] == 'the ' else w.PERSON_OPPOSITES))}"
               for s in subjects]
    return ("Make one sentence. " + " ".join(f"{c[0].upper()}{c[1:]}." for c in clauses), f"Yes, {w.listed(clauses)}.")


def framed_digits(rng: Random) -> tuple[str, str]:
    numbers = rng.choices(range(1, 21), k=rng.randint(1, 4))
    return (f"Write in digits: {', '.join(w.NUMBER_WORDS[n] for n in numbers)}.", ", ".join(map(str, numbers)))


def framed_date_part(rng: Random) -> tuple[str, str]:
    day, month, year = rng.randint(1, 28), rng.randint(1, 12), rng.randint(1950, 2029)
    spoken = f"the {w.ORDINALS[day - 1]} of {w.MONTHS[month - 1]} {year}"
    return rng.choice([(f"Which day is {spoken}?", f"day {day:02d}"),
                       (f"Which month is {spoken}?", f"month {month:02d}"),
                       (f"Which year is {spoken}?", f"year {year}")])


def framed_opposite(rng: Random) -> tuple[str, str]:
    pairs = rng.choice([w.PERSON_OPPOSITES, w.THING_OPPOSITES])
    word = rng.choice(rng.choice(pairs))
    return f"What is the opposite of {word}?", f"It is {w.opposite_of(word, pairs)}."


FRAMED = [framed_repeat, framed_question, framed_animal, framed_count, framed_person,
          framed_facts, framed_facts, framed_join, framed_digits, framed_date_part, framed_opposite]

# Kinds of document and their share of the text.
KINDS: dict[Callable[[Random], str], int] = {
    story: 16, story_questions: 20, person_facts: 8, animal_facts: 5, number_facts: 12, calendar_facts: 12,
    opposite_facts: 8, shopping_list: 5, dialogue: 5, comparison: 4, weather_log: 4, person_card: 5, framed_task: 36,
}


def pretraining_documents(count: int, seed: int = w.SEED) -> list[str]:
    rng = Random(seed)
    kinds = rng.choices(list(KINDS), weights=list(KINDS.values()), k=count)
    return [kind(rng) for kind in kinds]


if __name__ == "__main__":
    write_sets()
