"""Prints, as a Markdown table, the token lengths of every set (`<s> prompt output </s>`) and how many of its labelled
tokens never occur in the pre-training text. The last column must be zero: see `extract` in skills.py.
"""

from statistics import mean, median

from transformers import AutoTokenizer

from corpus import pretraining_documents
from losses import DEMO, IGNORED, SETS, encode_set
from pretrain import DOCUMENTS

if __name__ == "__main__":
    tokenizer = AutoTokenizer.from_pretrained(DEMO / "model")
    seen = {tokenizer.eos_token_id}
    for encoding in tokenizer.backend_tokenizer.encode_batch(pretraining_documents(DOCUMENTS)):
        seen.update(encoding.ids)
    print("| set | rows | min | median | mean | max | mean labelled | labelled, never seen |\n" + "|---" * 8 + "|")
    for name in SETS:
        for part in ("train", "heldout"):
            examples = encode_set(tokenizer, name, part)
            lengths = [len(ids) for ids, _ in examples]
            labels = [label for _, row in examples for label in row if label != IGNORED]
            print(f"| {name}.{part} | {len(lengths)} | {min(lengths)} | {median(lengths):.0f} | {mean(lengths):.1f} "
                  f"| {max(lengths)} | {len(labels) / len(examples):.1f} | {sum(i not in seen for i in labels)} |")
