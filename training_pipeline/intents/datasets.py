"""Labelled messages for intent classifiers: our own, three public sets, and any CSV.

The public sets are read from `STILLPOINT_DATA`; no text of theirs is part of the repository.
"""

from __future__ import annotations

import csv
import json
import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from training_pipeline.errors import PipelineError
from training_pipeline.gates.messages import tokens

OUT_OF_SCOPE = "out_of_scope"
HELD_BACK = 0.1
"""Share of a public train split that is the test set where the official one is not at hand."""
NEAR = 0.5
"""Overlap (Jaccard) from which two messages count as near-duplicates."""
LEAST_WORDS = 4
"""Texts with fewer words are near-duplicates only if their words are the same."""


class DatasetError(PipelineError, ValueError):
    """A data set is absent or malformed; the message names file and place."""


class Row(NamedTuple):
    """One message and its intent."""

    text: str
    label: str


class Split(NamedTuple):
    """What is trained on and what is scored."""

    train: list[Row]
    test: list[Row]


def own(root: Path, folder: str = "nlu") -> list[Row]:
    """The project's examples, `data/nlu/*.yml` below `root`, in order; or those held back.

    Args:
        root: the repository's root.
        folder: `nlu`, or `nlu_test` for the messages that nothing is trained on.

    Raises:
        DatasetError: no file, or one that is no Rasa NLU YAML.
    """
    import yaml

    rows: list[Row] = []
    place = root / "data" / folder
    for path in sorted(place.glob("*.yml")):
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except yaml.YAMLError as error:
            raise DatasetError(f"{path}: no YAML: {error}") from error
        if not isinstance(content, dict) or not isinstance(content.get("nlu"), list):
            raise DatasetError(f"{path}: the key 'nlu' is missing")
        for number, block in enumerate(content["nlu"], start=1):
            rows += _block(f"{path}: block {number}", block)
    if not rows:
        raise DatasetError(f"{place}: no examples")
    return rows


def _block(where: str, block: Any) -> list[Row]:
    if not isinstance(block, dict) or not block.get("intent"):
        raise DatasetError(f"{where}: the key 'intent' is missing")
    lines = str(block.get("examples") or "").splitlines()
    texts = [line[2:].strip() for line in lines if line.startswith("- ")]
    return [Row(text, str(block["intent"])) for text in texts if text]


def clinc(folder: Path) -> Split:
    """CLINC150 (CC BY 3.0): train with `oos_train`, and `val` with `oos_val` as the test set.

    The label `oos` becomes `out_of_scope`.

    Raises:
        DatasetError: the file is absent, no JSON, or lacks a split.
    """
    path = folder / "data_full.json"
    try:
        content = json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise DatasetError(f"{path}:{error.lineno}: no JSON ({error.msg})") from error
    absent = [key for key in ("train", "oos_train", "val", "oos_val") if key not in content]
    if absent:
        raise DatasetError(f"{path}: the key '{absent[0]}' is missing")

    def rows(*keys: str) -> list[Row]:
        pairs = (pair for key in keys for pair in content[key])
        return [Row(text, OUT_OF_SCOPE if label == "oos" else label) for text, label in pairs]

    return Split(rows("train", "oos_train"), rows("val", "oos_val"))


def banking(folder: Path, seed: int = 0) -> Split:
    """BANKING77 (CC BY 4.0): its train split, a tenth of it held back as the test set."""
    path = folder / "train.csv"
    columns = _columns(path, ("text", "category"))
    return _held_back([Row(text, label) for text, label in columns], seed)


def hwu(folder: Path, seed: int = 0) -> Split:
    """HWU64 (CC BY 4.0): fold 1's train part, a tenth of it held back; `scenario_intent` labels."""
    path = folder / "KFold_1_trainset.csv"
    columns = _columns(path, ("answer_from_anno", "scenario", "intent"), delimiter=";")
    return _held_back([Row(text, f"{area}_{intent}") for text, area, intent in columns], seed)


def read_csv(path: Path) -> list[Row]:
    """A CSV with the columns `text,label`, UTF-8, header row.

    Raises:
        DatasetError: the file is absent, not UTF-8, lacks a column, or a cell is empty; names
            file, line and column.
    """
    return [Row(text, label) for text, label in _columns(path, ("text", "label"))]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise DatasetError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: not UTF-8 at byte {error.start}") from error


def _columns(path: Path, names: Sequence[str], delimiter: str = ",") -> list[tuple[str, ...]]:
    """The named columns of a CSV, stripped, row by row."""
    # The csv module keeps line breaks inside quotes only if they reach it unchanged.
    reader = csv.DictReader(_text(path).splitlines(keepends=True), delimiter=delimiter)
    header = [name.lstrip("\ufeff") for name in reader.fieldnames or ()]
    reader.fieldnames = header
    for name in names:
        if name not in header:
            raise DatasetError(f"{path}:1: the column '{name}' is missing")
    found = []
    for row in reader:
        cells = tuple((row[name] or "").strip() for name in names)
        for name, cell in zip(names, cells):
            if not cell:
                raise DatasetError(f"{path}:{reader.line_num}: the column '{name}' is empty")
        found.append(cells)
    if not found:
        raise DatasetError(f"{path}: no rows")
    return found


def same_words(text: str) -> str:
    """`text` reduced to its lower-case words; two texts with equal ones say the same."""
    return " ".join(re.findall(r"\w+", text.lower())) or text.strip()


def _held_back(rows: Sequence[Row], seed: int) -> Split:
    train, test = hold_back(rows, HELD_BACK, seed)
    kept_out = {same_words(row.text) for row in test}
    return Split([row for row in train if same_words(row.text) not in kept_out], test)


def hold_back(rows: Sequence[Row], share: float, seed: int) -> Split:
    """Rows without and with about `share` of each label, chosen by `seed`.

    The last row of a label is never taken away from the first part.
    """
    left = Counter(row.label for row in rows)
    taken: set[int] = set()
    due = 0.0
    for place in _by_label(rows, seed):
        due += share
        if due >= 1 - 1e-9 and left[rows[place].label] > 1:
            due -= 1
            left[rows[place].label] -= 1
            taken.add(place)
    kept = [row for place, row in enumerate(rows) if place not in taken]
    return Split(kept, [rows[place] for place in sorted(taken)])


def _by_label(rows: Sequence[Row], seed: int) -> list[int]:
    """Places of `rows`, label by label, shuffled inside each."""
    places = list(range(len(rows)))
    random.Random(seed).shuffle(places)
    return sorted(places, key=lambda place: rows[place].label)


def sample(rows: Sequence[Row], most: int | None, seed: int) -> list[Row]:
    """At most `most` rows, every label in about its share; all of them for None."""
    if most is None or most >= len(rows):
        return list(rows)
    places = _by_label(rows, seed)
    chosen = {places[step * len(rows) // most] for step in range(most)}
    return [row for place, row in enumerate(rows) if place in chosen]


def near_duplicates(texts: Sequence[str], bound: float = NEAR) -> list[int]:
    """The cluster of each text: linked texts overlap by `bound` or more.

    The overlap is the Jaccard index of word 1-2-grams, or that of character trigrams, whichever is
    larger. Texts of fewer than `LEAST_WORDS` words are linked if their words are the same.

    Returns:
        One cluster number a text, counted from 0.
    """
    import numpy as np
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components
    from sklearn.feature_extraction.text import CountVectorizer

    plain = [same_words(text) for text in texts]
    first: dict[str, int] = {}
    pairs = {(first.setdefault(text, place), place) for place, text in enumerate(plain)}
    long = [place for text, place in first.items() if len(tokens(text)) >= LEAST_WORDS]
    kept = [plain[place] for place in long]
    if len(kept) > 1:
        words = CountVectorizer(ngram_range=(1, 2), token_pattern=r"\w+", binary=True)
        trigrams = CountVectorizer(analyzer="char_wb", ngram_range=(3, 3), binary=True)
        for vectoriser in (words, trigrams):
            found = _overlapping(vectoriser.fit_transform(kept), bound)
            pairs.update((long[one], long[other]) for one, other in found)
    one, other = np.array(sorted(pairs)).T if pairs else np.zeros((2, 0), dtype=int)
    shape = (len(texts), len(texts))
    graph = coo_matrix((np.ones(len(one)), (one, other)), shape=shape)
    return [int(cluster) for cluster in connected_components(graph, directed=False)[1]]


def _overlapping(features: Any, bound: float, chunk: int = 500) -> Iterable[tuple[int, int]]:
    """Pairs of rows of a binary sparse matrix (n, grams) whose Jaccard index reaches `bound`."""
    import numpy as np

    sizes = np.asarray(features.sum(axis=1)).ravel()
    features = features.astype(np.float32)
    for start in range(0, features.shape[0], chunk):
        shared = (features[start : start + chunk] @ features.T).tocoo()
        one, other = shared.row + start, shared.col
        together = sizes[one] + sizes[other] - shared.data
        near = (shared.data >= bound * together) & (one < other)
        yield from zip(one[near].tolist(), other[near].tolist())


def folds(rows: Sequence[Row], k: int, seed: int) -> list[Split]:
    """`k` train and test parts; near-duplicates stay together and labels keep their shares.

    Each row is in exactly one test part.

    Raises:
        DatasetError: fewer clusters of messages than folds.
    """
    import warnings

    from sklearn.model_selection import StratifiedGroupKFold

    groups = near_duplicates([row.text for row in rows])
    if k < 2 or len(set(groups)) < k:
        raise DatasetError(f"{len(set(groups))} clusters of messages cannot make {k} folds")
    labels = [row.label for row in rows]
    common = {label for label, count in Counter(labels).items() if count >= k}
    strata = [label if label in common else "few" for label in labels]
    if max(Counter(strata).values()) < k:
        strata = ["any"] * len(rows)
    parts = []
    with warnings.catch_warnings():
        # A label with fewer rows than folds cannot be in each of them.
        warnings.simplefilter("ignore", UserWarning)
        splitter = StratifiedGroupKFold(k, shuffle=True, random_state=seed)
        for train, test in splitter.split(rows, strata, groups):
            parts.append(Split([rows[i] for i in train], [rows[i] for i in test]))
    return parts
