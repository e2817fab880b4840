// A quiz: a question at a time is answered, and every choice says why. What the reader
// has answered stays in this browser alone.
import { button, el, frame, freshId } from "./ui.js";

/** What the browser remembers of one quiz: {question id: chosen answer's place}. Where
    it remembers nothing (a private window, a file that may not store), nothing is lost
    but the memory. */
export function memory(name, store) {
  const key = `one-neuron-quiz-${name}`;
  const read = () => {
    try {
      const kept = JSON.parse(store?.getItem(key) ?? "{}");
      return kept && typeof kept === "object" && !Array.isArray(kept) ? kept : {};
    } catch {
      return {};
    }
  };
  const write = (answers) => {
    try {
      store?.setItem(key, JSON.stringify(answers));
    } catch {
      // Full or forbidden: the quiz goes on without.
    }
  };
  return { read, write };
}

/** Count the questions answered right: answers maps a question's id to a place. */
export function score(questions, answers) {
  return questions.filter((q) => q.choices[answers[q.id]]?.right === true).length;
}

/** Say how far the reader is. */
export function progress(questions, answers) {
  const done = questions.filter((q) => q.choices[answers[q.id]] !== undefined).length;
  const right = score(questions, answers);
  if (done === 0) return `${questions.length} questions. Choose an answer: each says why.`;
  if (done < questions.length) return `${done} of ${questions.length} answered, ${right} right.`;
  return right === done
    ? `All ${done} right.`
    : `${right} of ${done} right. Choose again wherever you like.`;
}

/** Put `code` marks into elements; everything else stays text. */
function words(text) {
  return text.split(/`([^`]+)`/).map((part, i) => (i % 2 ? el("code", {}, part) : part));
}

function storage() {
  try {
    return window.localStorage;
  } catch {
    return null;
  }
}

function renderQuestion(question, place, chosen, onchoose) {
  const name = freshId("question");
  const told = el("p", { class: "lw-told", role: "status", "aria-live": "polite" });
  const rows = question.choices.map((c, i) => {
    const input = el("input", { type: "radio", name, value: i });
    input.checked = chosen === i;
    input.addEventListener("change", () => { show(i); onchoose(i); });
    return el("label", { class: "lw-answer" }, input, el("span", {}, ...words(c.text)));
  });
  function show(i) {
    rows.forEach((row, k) => {
      row.dataset.state = k !== i ? "" : question.choices[k].right ? "right" : "wrong";
    });
    const { right, why } = question.choices[i];
    told.dataset.tone = right ? "right" : "wrong";
    told.replaceChildren(el("strong", {}, right ? "Right. " : "No. "), ...words(why));
  }
  if (question.choices[chosen]) show(chosen);
  const asked = el("legend", {}, `${place + 1}. `, ...words(question.ask));
  return el("fieldset", { class: "lw-question" }, asked, ...rows, told);
}

function render({ model, el: host }) {
  const questions = model.get("questions");
  const kept = memory(model.get("chapter"), storage());
  const { root, stage, say } = frame(host, {
    title: "Check yourself",
    hint: "Your answers stay in this browser.",
  });
  root.classList.add("lw-quiz");
  let answers = kept.read();

  function draw() {
    stage.replaceChildren(...questions.map((question, place) =>
      renderQuestion(question, place, answers[question.id], (i) => {
        answers = { ...answers, [question.id]: i };
        kept.write(answers);
        tell();
      })));
    tell();
  }

  function tell() {
    say(progress(questions, answers));
    model.set("answered", Object.keys(answers).length);
    model.set("right", score(questions, answers));
    model.save_changes();
  }

  root.append(button("Start again", () => {
    answers = {};
    kept.write(answers);
    draw();
  }));
  draw();
}

export default { render };
