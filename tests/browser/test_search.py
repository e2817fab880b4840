"""The search of the built book finds what a reader looks for."""

import pytest
from visits import open_context, watch

# What a reader types, and the chapter that explains it.
WANTED = {
    "sigmoid": "01_activations",
    "gradient check": "02_backprop",
    "He initialisation": "03_dnn",
    "AdamW": "04_training_loop",
    "early stopping": "04_training_loop",
    "receptive field": "07_cnn",
    "residual block": "07b_depth",
    "LSTM": "08_rnn",
    "attention": "09_transformer",
    "beam": "09b_encoder_decoder",
    "TF-IDF": "09c_classification",
    "BLEU": "09d_translation",
}
SEEN = 5  # results that a reader looks at


@pytest.fixture(scope="module")
def page(browser):
    """Keep one profile for all searches."""
    context = open_context(browser, "desktop", "light")
    yield context.new_page()
    context.close()


def results(page, address, query):
    """Search, wait for the end, and list what was found."""
    page.goto(f"{address}search.html")
    field = page.locator("article input[name=q], .bd-search-container input[name=q]")
    field.first.fill(query)
    field.first.press("Enter")
    page.locator(".search-summary", has_text="found").wait_for()
    links = page.locator("#search-results li > a")
    return links.evaluate_all("all => all.map(a => a.href)")


@pytest.mark.parametrize("query", WANTED)
def test_search_finds(page, address, query):
    faults = watch(page, address)
    found = results(page, address, query)[:SEEN]
    page.wait_for_load_state("networkidle")
    assert any(f"notebooks/{WANTED[query]}.html" in link for link in found), found
    assert faults == []


def test_search_says_when_there_is_nothing(page, address):
    page.goto(f"{address}search.html?q=xylophone")
    page.locator(".search-summary", has_text="did not match").wait_for()
    assert page.locator("#search-results li").count() == 0
