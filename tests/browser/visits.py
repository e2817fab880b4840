"""What the browser tests share: profiles, visits, and a list of what goes wrong."""

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

    page.on("console", console)
    page.on("pageerror", lambda error: faults.append(f"script: {error}"))
    page.on("request", request)
    page.on("requestfailed", lambda r: faults.append(f"failed: {r.url}"))
    page.on("response", response)
    return faults


def visit(page, url):
    """Open a page and wait until its scripts have run and its fonts are there."""
    page.goto(url, wait_until="load")
    page.evaluate("() => document.fonts.ready.then(() => true)")


def bring_alive(page, inside=".lw"):
    """Scroll to the page's figures, one after another, until one holds `inside`."""
    for box in page.locator(".alive").all():
        box.scroll_into_view_if_needed()
        page.wait_for_function(
            "box => box.matches('.is-alive, .is-still')", arg=box.element_handle()
        )
        if box.locator(inside).count():
            return box
    raise AssertionError(f"no figure of {page.url} holds {inside}")
