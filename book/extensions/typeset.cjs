// Typesets the book's formulas with MathJax, outside any browser.
//
//   node typeset.cjs <folder of the package mathjax>
//
// One request a line, in JSON, and one answer a line:
//   {"tex": "x^2", "display": false}  gives  {"html": "<mjx-container ...", "width": 1.0}
//                                     or     {"error": "Missing close brace"}
//   {"sheet": true}                   gives  {"css": "..."}
// The width is in em. The sheet holds the rules of the glyphs asked for so far.
"use strict";

const readline = require("node:readline");

// What a formula may use beside plain TeX. Nothing else is loaded, and an unknown
// command is an error instead of red letters in the page.
const PACKAGES = ["ams", "boldsymbol", "braket", "cancel", "cases", "color",
  "mathtools", "newcommand"];

const SETTINGS = {
  loader: {
    load: ["input/tex-base", "output/chtml", "a11y/assistive-mml",
      ...PACKAGES.map((name) => `[tex]/${name}`)],
  },
  tex: {
    packages: ["base", ...PACKAGES],
    formatError: (_, error) => { throw error; },
  },
  // The page's own style sheet sets the size.
  chtml: { fontURL: "fonts", matchFontHeight: false, adaptiveCSS: true },
  options: { enableAssistiveMml: true },
};

function typeset(MathJax, { tex, display }) {
  const { adaptor, document, output } = MathJax.startup;
  const node = document.convert(tex, { display });
  const box = output.getBBox(output.math, document);
  return { html: adaptor.outerHTML(node), width: box.w };
}

function answer(MathJax, request) {
  if (request.sheet) {
    return { css: MathJax.startup.adaptor.textContent(MathJax.chtmlStylesheet()) };
  }
  try {
    return typeset(MathJax, request);
  } catch (error) {
    return { error: error.message };
  }
}

require(process.argv[2]).init(SETTINGS).then((MathJax) => {
  const lines = readline.createInterface({ input: process.stdin });
  lines.on("line", (line) => {
    process.stdout.write(`${JSON.stringify(answer(MathJax, JSON.parse(line)))}\n`);
  });
}).catch((error) => {
  process.stderr.write(`${error.stack ?? error}\n`);
  process.exit(1);
});
