// Makes DOM nodes. Text always becomes text nodes, so that no attribute of a data set can become markup.

export function make(name, properties = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key in node) node[key] = value;
    else node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export const note = (message, error = false) => make("p", { className: error ? "note error" : "note" }, message);

export const table = (heads, rows) =>
  make("table", {}, make("thead", {}, make("tr", {}, ...heads.map(([head, kind]) => make("th", { className: kind ?? "", scope: "col" }, head)))),
    make("tbody", {}, ...rows));
