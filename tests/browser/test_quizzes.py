"""The quizzes in the built pages: each chapter has one, and it answers."""

import pytest
from book_site import chapters, parsed
from visits import bring_alive, open_context, visit, watch

from lessons.widgets import quiz

CHAPTERS = list(chapters())


def name_of(chapter):
    """Return a chapter's own name: 07_cnn."""
    return chapter.rsplit("/", 1)[1]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_has_its_quiz(chapter):
    assert name_of(chapter) in quiz.chapters()
    boxes = parsed(chapter).select(".alive")
    assert boxes and boxes[-1].select("details"), (
        "the quiz comes last, with its answers"
    )


@pytest.fixture
def page(browser, address):
    """Open the first chapter's quiz in a profile of its own."""
    context = open_context(browser, "desktop", "light")
    page = context.new_page()
    page.faults = watch(page, address)
    visit(page, f"{address}{CHAPTERS[0]}.html")
    yield page
    context.close()


QUESTIONS = quiz._read(name_of(CHAPTERS[0]))


def choose(page, question, place):
    """Click one choice of one question and return the reason that appears."""
    box = bring_alive(page, ".lw-question").locator(".lw-question").nth(question)
    box.locator(".lw-answer").nth(place).click()
    told = box.locator(".lw-told")
    told.wait_for(state="visible")
    return told.inner_text()


def plain(text):
    """Return a text without its marks for code."""
    return text.replace("`", "")


def test_every_choice_says_why(page):
    for i, question in enumerate(QUESTIONS):
        for k, choice in enumerate(question["choices"]):
            verdict = "Right. " if choice.get("right") else "No. "
            assert choose(page, i, k) == verdict + plain(choice["why"])
    assert page.faults == []


def right_place(question):
    """Return the place of the right choice."""
    return [c.get("right", False) for c in question["choices"]].index(True)


def test_answers_are_remembered_by_this_browser_alone(page, browser, address):
    for i, question in enumerate(QUESTIONS):
        choose(page, i, right_place(question))
    said = bring_alive(page, ".lw-question").locator(".lw-say")
    assert said.inner_text() == f"All {len(QUESTIONS)} right."
    page.reload()
    box = bring_alive(page, ".lw-question")
    assert box.locator(".lw-say").inner_text() == f"All {len(QUESTIONS)} right."
    box.get_by_role("button", name="Start again").click()
    assert box.locator("input:checked").count() == 0
    page.reload()
    assert bring_alive(page, ".lw-question").locator("input:checked").count() == 0


def test_a_quiz_is_answered_by_keyboard(page):
    box = bring_alive(page, ".lw-question").locator(".lw-question").first
    box.locator("input").first.focus()
    page.keyboard.press("Space")
    first = box.locator(".lw-told").inner_text()
    page.keyboard.press("ArrowDown")
    second = box.locator(".lw-told").inner_text()
    whys = [plain(choice["why"]) for choice in QUESTIONS[0]["choices"]]
    assert whys[0] in first and whys[1] in second


def test_spoilt_memory_does_no_harm(page):
    key = f"one-neuron-quiz-{name_of(CHAPTERS[0])}"
    for kept in ("not JSON", "[1]", '{"gone": 3, "bend": 99}'):
        page.evaluate("([k, v]) => localStorage.setItem(k, v)", [key, kept])
        page.reload()
        box = bring_alive(page, ".lw-question")
        assert "questions. Choose an answer" in box.locator(".lw-say").inner_text()
    assert page.faults == []


def test_without_scripts_questions_and_answers_are_there(browser, address):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}{CHAPTERS[0]}.html")
    still = page.locator(".alive").last
    assert plain(QUESTIONS[0]["ask"]) in still.inner_text()
    still.locator("summary").first.click()
    assert "Right. " in still.locator("details").first.inner_text()
    context.close()
