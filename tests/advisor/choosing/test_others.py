from advisor.choosing.others import AS_SENTENCES, AS_TAGS, prompts_of_others
from advisor.settings.config import blank_config, with_values


def test_a_base_of_known_lineage_is_asked_in_tags_and_others_in_sentences() -> None:
    assert prompts_of_others(with_values(blank_config(), {"model.lineage": "nai"})) == AS_TAGS
    assert prompts_of_others(blank_config()) == AS_SENTENCES


def test_a_style_may_be_in_all_pictures() -> None:
    assert prompts_of_others(with_values(blank_config(), {"run.subject": "style"})) == ()
