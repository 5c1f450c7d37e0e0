#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a general English text of about 12 million words out of what Debian and PyPI offer.

    make_corpus.py CORPUS.txt [--tweets FOLDER] [--punctuation]

Sources, in this order: the dictionaries of Debian's packages dict-gcide, dict-wn, dict-foldoc, dict-jargon, dict-devil
and dict-elements; of the texts that gensim tests itself with, the pages of an encyclopaedia and the news of Lee's
collection; the tweets of FOLDER (tweets-train.tsv without labels, and tweets-unlabelled.txt). The test tweets stay out.

Each line of the result is a dictionary's entry, a page, an article or a tweet: its words, lower-cased, with a space
between (words.py says what a word is). Lines of more than 1,000 words are cut, because fastText reads no more than
1,024 words of a line. Words of each source are counted on standard output.
"""

import argparse
import bz2
import gzip
import hashlib
import pathlib
import re
import string
import sys

from words import tokenize

DICTIONARIES = ["gcide", "wn", "foldoc", "jargon", "devil", "elements"]
LONGEST_LINE = 1000

# gcide names the source of each sense, which would be the most frequent phrase of the corpus.
SOURCE_OF_SENSE = re.compile(r"\[(?:1913 Webster|Webster 1913 Suppl\.|WordNet[^\]]*|PJC|[^\]]*\+PJC|RP|GG)\]")
# It shows how a word is said as \\A*ban"don\\, which would be three words.
PRONUNCIATION = re.compile(r"\\[^\\\n]{1,60}\\")
# gensim takes each of Unicode's spaces for the end of a word, and fastText only those of ASCII.
SPACE = re.compile(r"\s")

_DIGITS = {c: i for i, c in enumerate(string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/")}


def number(text):
    """A number of a dictd index: digits to the base 64."""
    value = 0
    for c in text:
        value = 64 * value + _DIGITS[c]
    return value


def decode(data):
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def dictionary(folder, name):
    """The entries of a dictd dictionary, in the order of the file. A .dict.dz is a gzip file with an index."""
    text = gzip.open(folder / f"{name}.dict.dz").read()
    places = set()
    with open(folder / f"{name}.index", "rb") as index:
        for line in index:
            word, begin, length = line.rstrip(b"\n").split(b"\t")[:3]
            if not word.startswith(b"00-database") and not word.startswith(b"00database"):
                places.add((number(begin.decode()), number(length.decode())))
    for begin, length in sorted(places):
        yield PRONUNCIATION.sub(" ", SOURCE_OF_SENSE.sub(" ", decode(text[begin : begin + length])))


def gensim_folder():
    import gensim.test.utils

    return pathlib.Path(gensim.test.utils.datapath(""))


def encyclopaedia(folder):
    """The pages of a part of the English Wikipedia that gensim tests itself with."""
    from gensim.corpora.wikicorpus import extract_pages, filter_wiki

    with bz2.open(folder / "enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2") as file:
        for _title, text, _page in extract_pages(file, ("0",)):
            yield filter_wiki(text)


def lines(path):
    with open(path, "rb") as file:
        for line in file:
            yield decode(line)


def sources(arguments):
    for name in DICTIONARIES:
        yield f"dict-{name}", dictionary(arguments.dictionaries, name)
    folder = gensim_folder()
    yield "gensim, encyclopaedia", encyclopaedia(folder)
    yield "gensim, news", (text for name in ["lee_background.cor", "lee.cor"] for text in lines(folder / name))
    if arguments.tweets:
        yield "tweets, training", (line.split("\t", 1)[1] for line in lines(arguments.tweets / "tweets-train.tsv"))
        yield "tweets, unlabelled", lines(arguments.tweets / "tweets-unlabelled.txt")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=pathlib.Path)
    parser.add_argument("--dictionaries", type=pathlib.Path, default=pathlib.Path("/usr/share/dictd"))
    parser.add_argument("--tweets", type=pathlib.Path, help="folder of the tweets")
    parser.add_argument("--punctuation", action="store_true", help="keep punctuation marks, as words")
    arguments = parser.parse_args()

    missing = [n for n in DICTIONARIES if not (arguments.dictionaries / f"{n}.dict.dz").exists()]
    if missing:
        sys.exit(
            f"make_corpus.py: {arguments.dictionaries}: no {', '.join(missing)}: apt-get install "
            + " ".join(f"dict-{n}" for n in missing)
        )
    total = 0
    hashed = hashlib.sha256()
    part = arguments.corpus.with_name(arguments.corpus.name + ".part")
    with open(part, "w", encoding="utf-8") as out:
        for name, texts in sources(arguments):
            count = 0
            for text in texts:
                tokens = tokenize(SPACE.sub(" ", text), arguments.punctuation)
                count += len(tokens)
                for begin in range(0, len(tokens), LONGEST_LINE):
                    line = " ".join(tokens[begin : begin + LONGEST_LINE]) + "\n"
                    hashed.update(line.encode())
                    out.write(line)
            print(f"{count:10,}  {name}")
            total += count
    part.rename(arguments.corpus)
    print(f"{total:10,}  words in all, SHA-256 {hashed.hexdigest()}")


if __name__ == "__main__":
    main()
