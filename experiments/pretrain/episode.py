"""A short event with known facts: the source of stories, of questions about them, and of the `extract` records."""

from dataclasses import dataclass
from random import Random

import world as w


@dataclass(frozen=True)
class Episode:
    who: str
    friend: str
    thing: str
    place: str
    when: str
    sentences: list[str]

    @property
    def story(self) -> str:
        return " ".join(self.sentences)


def draw_episode(rng: Random, sentence_count: int) -> Episode:
    """Two to five sentences; the first two carry all facts, the rest are colour that a reader has to skip."""
    who, friend = rng.sample(w.PEOPLE, 2)
    thing = f"{rng.choice(w.COLOURS)} {rng.choice(w.OBJECTS)}"
    place = rng.choice(w.PLACES)
    when = f"{rng.choice(w.DAYS)} {rng.choice(w.MOMENTS)}"
    opening = rng.choice([
        f"On {when}, {who.name} went to the {place} with {friend.name}.",
        f"{who.name} met {friend.name} at the {place} on {when}.",
        f"It was {when} and {who.name} walked to the {place} to see {friend.name}.",
    ])
    verb = rng.choice(["found", "bought", "lost", "painted", "hid", "carried"])
    event = rng.choice([
        f"There {who.name} {verb} {w.article(thing)}.",
        f"{who.pronoun.capitalize()} {verb} {w.article(thing)} there.",
        f"{who.name} {verb} {w.article(thing)}.",
    ])
    extras = [
        f"It was {rng.choice(w.WEATHER)}.",
        f"{friend.name} was {rng.choice(rng.choice(w.PERSON_OPPOSITES))}.",
        f"The {rng.choice(list(w.ANIMALS))} near the {place} was {rng.choice(['big', 'small', 'wet', 'old'])}.",
        f"They ate {rng.choice(w.NUMBER_WORDS[2:10])} {rng.choice(w.FOODS)}.",
        f"Then {friend.name} went home.",
    ]
    rng.shuffle(extras)
    return Episode(who.name, friend.name, thing, place, when, [opening, event, *extras[: sentence_count - 2]])
