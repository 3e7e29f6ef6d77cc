import random

import pytest
from transformers import T5Tokenizer

from pipelines.kandinsky3.conditioning import tokenize
from training import text
from training.captions import LANGUAGES, Language, caption, vocabulary
from training.world import sample_scene

EOS, UNKNOWN = 1, 2
WORDS = [word for word in vocabulary() if word.isalpha()]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> T5Tokenizer:
    folder = tmp_path_factory.mktemp("tokenizer")
    text.build_tokenizer(folder)
    return T5Tokenizer.from_pretrained(str(folder))


def test_every_word_of_the_world_is_one_token_and_a_text_ends_with_eos(
    tokenizer: T5Tokenizer,
) -> None:
    for word in WORDS:
        ids = tokenizer(word).input_ids
        assert len(ids) == 2, word
        assert ids[0] > UNKNOWN, word
        assert ids[1] == EOS


def test_different_words_are_different_tokens(tokenizer: T5Tokenizer) -> None:
    firsts = {tokenizer(word).input_ids[0] for word in WORDS}
    assert len(firsts) == len(WORDS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_caption_comes_back_from_its_tokens(tokenizer: T5Tokenizer, language: Language) -> None:
    rng = random.Random(0)
    for _ in range(100):
        said = caption(sample_scene(rng), language, rng, with_filler=False).text
        ids = tokenizer(said).input_ids
        assert UNKNOWN not in ids
        back = tokenizer.decode(ids, skip_special_tokens=True)
        assert back.replace(" ,", ",") == said.lower()


def test_capitals_do_not_matter(tokenizer: T5Tokenizer) -> None:
    assert tokenizer("A RED Circle").input_ids == tokenizer("a red circle").input_ids
    assert tokenizer("Красный КРУГ").input_ids == tokenizer("красный круг").input_ids


def test_an_unknown_word_is_unknown_and_the_known_ones_stay(tokenizer: T5Tokenizer) -> None:
    plain = tokenizer("red circle").input_ids
    ids = tokenizer("exquisite red circle, zeppelin").input_ids
    assert ids[0] == UNKNOWN
    assert ids[1:3] == plain[:2]


def test_the_products_tokenize_reads_this_tokenizer(tokenizer: T5Tokenizer) -> None:
    ids, mask = tokenize(tokenizer, ["red circle on blue", "star"])
    assert mask.sum(1).tolist() == [5, 2]
    assert ids[0, 4] == EOS
    assert ids.shape == (2, 6)
