"""Is a text friendly or not? Counts the words of two lists; "not" turns the next ones round, "very" doubles them.

    curl -s localhost:8080/v1/models/sentiment:predict -d '{"instances": ["not bad at all", "I hate waiting"]}'
"""

import pathlib
import re

inputs = [{"name": "text", "datatype": "BYTES", "shape": [-1]}]
outputs = [
    {"name": "score", "datatype": "FP64", "shape": [-1]},
    {"name": "label", "datatype": "BYTES", "shape": [-1]},
]

WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
NEGATIONS = {"not", "no", "never", "neither", "nor", "without", "hardly"}
AMPLIFIERS = {"very", "really", "so", "extremely", "absolutely", "totally"}
# How many words a negation reaches.
REACH = 3

weights = {}


def load():
    """Reads the lists: a line with a weight, then words."""
    folder = pathlib.Path(__file__).parent
    for line in (folder / "words.txt").read_text().splitlines():
        weight, *words = line.split()
        weights.update({word: float(weight) for word in words})


def predict(inputs):
    texts = inputs["text"]
    if not all(isinstance(text, str) for text in texts):
        problem = ValueError("expected texts")
        problem.status = 400
        raise problem
    scores = [score(text) for text in texts]
    return {"score": scores, "label": [label(one) for one in scores]}


def score(text):
    """From -1 to 1; 0 when no word is known."""
    total, found, negated, factor = 0.0, 0, 0, 1.0
    for word in WORD.findall(text.lower().replace("’", "'")):
        if word in NEGATIONS or word.endswith("n't"):
            negated = REACH
        elif word in AMPLIFIERS:
            factor = 2.0
        else:
            if word in weights:
                total += weights[word] * factor * (-0.5 if negated else 1.0)
                found += 1
            negated, factor = max(0, negated - 1), 1.0
    return max(-1.0, min(1.0, total / found)) if found else 0.0


def label(value):
    return "positive" if value > 0.1 else "negative" if value < -0.1 else "neutral"
