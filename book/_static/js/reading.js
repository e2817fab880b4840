/* What a page does for its reader besides showing text.
   1. A box that scrolls sideways can be reached by keyboard and has a name; one that
      does not is no stop, also where the page came with one for want of scripts.
   2. On paper every fold is open and the page is light; afterwards all is as it was. */
"use strict";
(() => {
  const BOXES = [
    ["pre", "Code"],
    [".cell_output > .output", "Output"],
    [".pst-scrollable-table-container", "Table"],
    ["div.math, span.math", "Formula"],
    ["mjx-container[display='true']", "Formula"],
  ];

  // A last letter that leans out of a formula which fits its line needs no scrolling.
  function fits(box) {
    const formula = box.matches("span.math") && box.querySelector("mjx-math");
    if (!formula) return false;
    const [own, room] = [formula, box].map((e) => e.getBoundingClientRect().width);
    return own <= room + 1;
  }

  function nameBox(box, label) {
    const lean = fits(box);
    if (lean) box.style.overflow = "visible";
    else box.style.removeProperty("overflow");
    // One pixel is rounding.
    if (!lean && box.scrollWidth > box.clientWidth + 1) {
      if (box.tabIndex !== 0) box.tabIndex = 0;
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", `${label}, scrolls sideways`);
    } else {
      for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
    }
  }

  function nameBoxes(article) {
    for (const [selector, label] of BOXES) {
      for (const box of article.querySelectorAll(selector)) nameBox(box, label);
    }
  }

  // What was changed for the printer, as functions that undo it.
  let undo = [];

  function toPaper() {
    if (undo.length) return;
    const root = document.documentElement;
    const theme = root.dataset.theme;
    root.dataset.theme = "light";
    undo.push(() => { root.dataset.theme = theme; });
    for (const fold of document.querySelectorAll("article details:not([open])")) {
      fold.open = true;
      undo.push(() => { fold.open = false; });
    }
  }

  function fromPaper() {
    undo.forEach((step) => step());
    undo = [];
  }

  const paper = window.matchMedia("print");
  paper.addEventListener("change", () => (paper.matches ? toPaper() : fromPaper()));
  window.addEventListener("beforeprint", toPaper);
  window.addEventListener("afterprint", fromPaper);

  const article = document.querySelector("article");
  if (!article) return;
  // Fonts, formulas, folds and the window all change the article's size.
  new ResizeObserver(() => nameBoxes(article)).observe(article);
  // The theme sets stops of its own after each change of the page, one pixel sooner.
  new MutationObserver((changes) => {
    for (const { target } of changes) {
      const kind = BOXES.find(([selector]) => target.matches(selector));
      if (kind) nameBox(target, kind[1]);
    }
  }).observe(article, { subtree: true, attributeFilter: ["tabindex"] });
  // A formula is as wide as its font makes it, and the font comes late.
  document.fonts.addEventListener("loadingdone", () => nameBoxes(article));
})();
