"""What the browser tests share: profiles, visits, and a list of what goes wrong."""

import contextlib

SIZES = {"desktop": (1280, 800), "phone": (390, 844)}


def open_context(browser, size, mode, **options):
    """Open a fresh profile of the given size whose reader chose light or dark."""
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height}, **options
    )
    context.set_default_timeout(20_000)
    context.add_init_script(
        f"localStorage.setItem('mode', '{mode}');"
        f"localStorage.setItem('theme', '{mode}');"
    )
    return context


def watch(page, address):
    """Collect what goes wrong in a page from here on."""
    faults = []

    def console(message):
        if message.type == "error":
            faults.append(f"console: {message.text}")

    def request(request):
        if not request.url.startswith((address, "data:", "blob:")):
            faults.append(f"another host: {request.url}")

    def response(response):
        if response.status >= 400:
            faults.append(f"{response.status}: {response.url}")

    def failed(request):
        # A page that is left or loaded again gives up what is still on its way.
        if request.failure != "net::ERR_ABORTED":
            faults.append(f"failed: {request.url}")

    page.on("console", console)
    page.on("pageerror", lambda error: faults.append(f"script: {error}"))
    page.on("request", request)
    page.on("requestfailed", failed)
    page.on("response", response)
    return faults


def visit(page, url):
    """Open a page and wait until its scripts have run and its fonts are there."""
    page.goto(url, wait_until="load")
    page.evaluate("() => document.fonts.ready.then(() => true)")


def turn(page, mode):
    """Change to light or dark and wait until no colour moves."""
    page.evaluate(f"document.documentElement.dataset.theme = '{mode}'")
    page.evaluate("() => new Promise(done => requestAnimationFrame(done))")
    page.wait_for_function(
        "() => document.getAnimations().every(a => a.playState !== 'running')"
    )


def wake(page, box):
    """Scroll to a figure and wait until it lives, or has failed to."""
    box.scroll_into_view_if_needed()
    page.wait_for_function(
        "box => box.matches('.is-alive, .is-still')", arg=box.element_handle()
    )


def bring_alive(page, inside=".lw"):
    """Scroll to the page's figures, one after another, until one holds `inside`."""
    for box in page.locator(".alive").all():
        wake(page, box)
        if box.locator(inside).count():
            return box
    raise AssertionError(f"no figure of {page.url} holds {inside}")


@contextlib.contextmanager
def open_figure(browser, place, inside, address):
    """Open a page in a profile of its own with one figure alive.

    Gives the page, the figure, and the list of what goes wrong.
    """
    context = open_context(browser, "desktop", "light")
    page = context.new_page()
    faults = watch(page, address)
    visit(page, f"{address}{place}")
    yield page, bring_alive(page, inside), faults
    context.close()
