"""Counts, sorts and matches words: dictionaries, strings, lists and the allocator, as programs use them."""
import re
import sys

rounds = int(sys.argv[1])
total = 0
for number in range(rounds):
    words = ["%05d-%s" % (i * 7919 % 10007, "x" * (i % 7)) for i in range(3000)]
    counts = {}
    for word in words:
        counts[word[:3]] = counts.get(word[:3], 0) + 1
    total += len(re.findall(r"0\d+-x+", " ".join(sorted(words)))) + len(counts)
print(total)
