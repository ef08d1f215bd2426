"""Checks that every instruction set can be learned: trains one PEFT LoRA adapter per set and learning rate.

    python adapt.py [--lr 0.003 0.006 0.01] [--iterations 40] [--threads 2]
"""

import argparse
import csv
import random
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

import world
from losses import DEMO, PROMPT, SETS, encode_set, mean_loss, next_token_loss, padded, read_rows

HERE = Path(__file__).resolve().parent
BATCH, RANK, ALPHA = 8, 8, 16


def fresh_adapter():
    base = AutoModelForCausalLM.from_pretrained(DEMO / "model", torch_dtype=torch.float32)
    return get_peft_model(base, LoraConfig(
        r=RANK, lora_alpha=ALPHA, lora_dropout=0.0, bias="none", task_type="CAUSAL_LM",
        target_modules=["q_proj", "k_proj", "v_proj", "o_proj"]))


def train(model, examples, lr: float, iterations: int, pad_id: int) -> None:
    """AdamW at a constant rate, no decay, batches from one seeded order of the rows, begun again when used up."""
    order = random.Random(world.SEED).sample(range(len(examples)), len(examples))
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=lr, weight_decay=0.0)
    model.train()
    for i in range(iterations):
        batch = [examples[order[(i * BATCH + k) % len(order)]] for k in range(BATCH)]
        loss = next_token_loss(model, *padded(batch, pad_id))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@torch.no_grad()
def exact_answers(model, tokenizer, rows: list[dict]) -> float:
    """Share of rows whose greedy answer equals the expected output to the letter."""
    model.eval()
    right = 0
    for row in rows:
        prompt = tokenizer(PROMPT.format(instruction=row["instruction"]), return_tensors="pt")
        answer = model.generate(input_ids=prompt["input_ids"], attention_mask=prompt["attention_mask"],
                                do_sample=False, max_new_tokens=64)[0, prompt["input_ids"].shape[1]:]
        right += tokenizer.decode(answer, skip_special_tokens=True) == row["output"]
    return right / len(rows)


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--lr", type=float, nargs="+", default=[0.003, 0.006, 0.01])
    arguments.add_argument("--iterations", type=int, default=40)
    arguments.add_argument("--threads", type=int, default=2)
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    tokenizer = AutoTokenizer.from_pretrained(DEMO / "model")
    pad, results = tokenizer.pad_token_id, []
    for name in SETS:
        training, heldout = (encode_set(tokenizer, name, part) for part in ("train", "heldout"))
        for lr in options.lr:
            torch.manual_seed(world.SEED)
            model = fresh_adapter()
            before = mean_loss(model, heldout, pad)
            train(model, training, lr, options.iterations, pad)
            results.append({
                "set": name, "lr": lr, "iterations": options.iterations, "zeroShotLoss": round(before, 4),
                "heldoutLoss": round(mean_loss(model, heldout, pad), 4),
                "exactAnswers": round(exact_answers(model, tokenizer, read_rows(name, "heldout")), 3)})
            print(results[-1], flush=True)
    with open(HERE / f"adapt-{options.iterations}.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, list(results[0]))
        writer.writeheader()
        writer.writerows(results)


if __name__ == "__main__":
    main()
