"""The small closed world every text is about: its words and its fixed facts.

The facts (a person's town, the month after May, the opposite of "heavy") never change between documents, so a model
that reads enough text can know them; what does change (who found which box where) must be read from the context.
"""

from typing import NamedTuple

SEED = 20240


class Person(NamedTuple):
    name: str
    pronoun: str
    job: str
    town: str
    pet: str
    colour: str


NAMES = {
    "she": "Anna Bella Clara Dora Emma Fiona Greta Hanna Ida Julia Lena Mia".split(),
    "he": "Adam Ben Carl David Emil Felix Hugo Ivan Jonas Karl Leo Max".split(),
}
JOBS = "baker teacher farmer doctor painter driver singer gardener".split()
TOWNS = "Aldin Brook Carlow Denby Elmton Farlow".split()
COLOURS = "red blue green yellow white black brown grey".split()

# Steps coprime to the list lengths give every person a different mix of facts without a random draw.
PEOPLE = [
    Person(name, pronoun, JOBS[(3 * i) % 8], TOWNS[(5 * i) % 6], pet, COLOURS[(7 * i + i // 8) % 8])
    for i, (name, pronoun, pet) in enumerate(
        (name, pronoun, ("dog", "cat", "horse", "duck", "rabbit")[(2 * k + len(name)) % 5])
        for pronoun, names in NAMES.items()
        for k, name in enumerate(names)
    )
]

PLACES = "park school market station library river farm beach church harbour".split()  # all go with "at"
OBJECTS = "ball book box hat key lamp cup bag coin kite map spoon".split()
FOODS = "apples pears eggs nuts plums cakes carrots beans".split()
MOMENTS = "morning afternoon evening night".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
WEATHER = "sunny rainy windy cloudy cold warm".split()

# animal: (sound, number of legs, where it lives)
ANIMALS = {
    "dog": ("barks", 4, "in a house"),
    "cat": ("meows", 4, "in a house"),
    "horse": ("neighs", 4, "in a stable"),
    "duck": ("quacks", 2, "on a pond"),
    "cow": ("moos", 4, "on a farm"),
    "hen": ("clucks", 2, "on a farm"),
    "rabbit": ("squeaks", 4, "in a hole"),
    "owl": ("hoots", 2, "in a forest"),
    "bee": ("buzzes", 6, "in a hive"),
    "frog": ("croaks", 4, "on a pond"),
}

# Adjectives by what they can describe, so that a sentence stays sensible after a swap.
PERSON_OPPOSITES = [("happy", "sad"), ("young", "old"), ("early", "late"), ("tall", "short"), ("rich", "poor"),
                    ("awake", "asleep"), ("loud", "quiet"), ("brave", "afraid")]
THING_OPPOSITES = [("big", "small"), ("heavy", "light"), ("clean", "dirty"), ("new", "old"), ("full", "empty"),
                   ("open", "closed"), ("wet", "dry"), ("cheap", "costly")]

NUMBER_WORDS = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
                "seventeen eighteen nineteen twenty").split()
ORDINALS = ("first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
            "fifteenth sixteenth seventeenth eighteenth nineteenth twentieth twenty-first twenty-second twenty-third "
            "twenty-fourth twenty-fifth twenty-sixth twenty-seventh twenty-eighth").split()


def opposite_of(adjective: str, pairs: list[tuple[str, str]]) -> str:
    """The other half of the pair; the lists are separate because "old" has two opposites."""
    return next(b if adjective == a else a for a, b in pairs if adjective in (a, b))


def listed(items: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


def article(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"
