"""Losses in nats per token, the same way for every number this experiment reports."""

import json

import torch
from torch.nn.functional import cross_entropy

from corpus import PROMPT
from skills import DATA, SETS

DEMO = DATA.parent
IGNORED = -100  # label of a position that does not count (prompt, padding)

Example = tuple[list[int], list[int]]


def read_rows(name: str, part: str) -> list[dict]:
    return [json.loads(line) for line in (DATA / f"{name}.{part}.jsonl").read_text().splitlines()]


def encode_row(tokenizer, row: dict) -> Example:
    """`<s> prompt output </s>`; only the output and `</s>` carry a label.

    Prompt and output are encoded apart, so that the boundary is a token boundary whatever the merges are.
    """
    prompt = tokenizer(PROMPT.format(instruction=row["instruction"]))["input_ids"]
    output = tokenizer(row["output"], add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id]
    return prompt + output, [IGNORED] * len(prompt) + output


def encode_set(tokenizer, name: str, part: str) -> list[Example]:
    return [encode_row(tokenizer, row) for row in read_rows(name, part)]


def padded(examples: list[Example], pad_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Right padding: with a causal mask no real token sees it, so no attention mask is needed."""
    longest = max(len(ids) for ids, _ in examples)
    ids = [ids + [pad_id] * (longest - len(ids)) for ids, _ in examples]
    labels = [labels + [IGNORED] * (longest - len(labels)) for _, labels in examples]
    return torch.tensor(ids), torch.tensor(labels)


def next_token_loss(model, ids: torch.Tensor, labels: torch.Tensor, reduction: str = "mean") -> torch.Tensor:
    logits = model(input_ids=ids, use_cache=False).logits[:, :-1].float()
    return cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten(), ignore_index=IGNORED, reduction=reduction)


@torch.no_grad()
def mean_loss(model, examples: list[Example], pad_id: int) -> float:
    """Mean over all labelled tokens of the examples (not a mean of batch means)."""
    model.eval()
    total, count = 0.0, 0
    for start in range(0, len(examples), 32):
        ids, labels = padded(examples[start: start + 32], pad_id)
        total += next_token_loss(model, ids, labels, "sum").item()
        count += int((labels[:, 1:] != IGNORED).sum())
    return total / count
