// Brings the interactive figures of a page to life, with no kernel and no other host.
//
// The book's extension `alive` leaves, for each figure,
//   <div class="alive" data-state="…/widgets/NAME.js">still picture</div>
// The state file is a classic script, because file:// pages may load nothing else. It
// calls lessonsWidget(NAME, {state, buffers}) with what Jupyter would hand to a widget.
// It is fetched when the reader comes near the figure.
(() => {
  "use strict";
  const waiting = new Map();

  window.lessonsWidget = (name, entry) => waiting.get(name)(entry);

  function bytes(text) {
    const raw = atob(text);
    return Uint8Array.from(raw, (letter) => letter.charCodeAt(0));
  }

  /** The part of a Jupyter model that a front end may rely on. */
  function makeModel(entry) {
    const data = { ...entry.state };
    const heard = new Map();
    for (const { path, data: text } of entry.buffers || []) {
      let place = data;
      for (const key of path.slice(0, -1)) place = place[key];
      place[path.at(-1)] = new DataView(bytes(text).buffer);
    }
    const fire = (event, ...rest) => [...(heard.get(event) || [])].forEach((f) => f(...rest));
    return {
      get: (key) => data[key],
      set(key, value) {
        const changes = typeof key === "object" ? key : { [key]: value };
        const changed = Object.keys(changes).filter((k) => data[k] !== changes[k]);
        Object.assign(data, changes);
        changed.forEach((k) => fire(`change:${k}`, this, data[k]));
        if (changed.length) fire("change", this);
      },
      save_changes() {},
      send() {},
      on(events, f) {
        for (const e of events.split(" ")) heard.set(e, [...(heard.get(e) || []), f]);
      },
      off(events, f) {
        const names = events ? events.split(" ") : [...heard.keys()];
        for (const e of names) heard.set(e, f ? (heard.get(e) || []).filter((g) => g !== f) : []);
      },
    };
  }

  function fetchState(url, name) {
    return new Promise((done, failed) => {
      waiting.set(name, done);
      const script = document.createElement("script");
      script.src = url;
      script.onerror = () => failed(new Error(`${url} could not be loaded`));
      document.head.append(script);
    });
  }

  async function load(entry) {
    const url = URL.createObjectURL(new Blob([entry.state._esm], { type: "text/javascript" }));
    try {
      const module = (await import(url)).default;
      return typeof module === "function" ? await module() : module;
    } finally {
      URL.revokeObjectURL(url);
    }
  }

  const styled = new Set();
  function style(css) {
    if (!css || styled.has(css)) return;
    styled.add(css);
    const sheet = document.createElement("style");
    sheet.textContent = css;
    document.head.append(sheet);
  }

  async function bringAlive(box) {
    const url = box.dataset.state;
    const name = url.split("/").at(-1).replace(/\.js$/, "");
    const live = document.createElement("div");
    live.className = "alive-live";
    try {
      const entry = await fetchState(url, name);
      const model = makeModel(entry);
      const widget = await load(entry);
      style(entry.state._css);
      box.append(live);
      await widget.initialize?.({ model });
      await widget.render({ model, el: live });
      // From here on the still picture is for paper alone.
      box.classList.add("is-alive");
    } catch (error) {
      live.remove();
      box.classList.add("is-still");
      console.error("An interactive figure could not start; its picture stands in.", error);
    }
  }

  function start() {
    const boxes = [...document.querySelectorAll(".alive")];
    if (!("IntersectionObserver" in window)) {
      boxes.forEach(bringAlive);
      return;
    }
    const watcher = new IntersectionObserver((seen) => {
      for (const { isIntersecting, target } of seen) {
        if (!isIntersecting) continue;
        watcher.unobserve(target);
        bringAlive(target);
      }
    }, { rootMargin: "300px 0px" });
    boxes.forEach((box) => watcher.observe(box));
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
