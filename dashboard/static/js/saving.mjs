// What is shown, as a file: comma-separated values that a spreadsheet takes for nothing but values.

/** A spreadsheet must not take a text for a formula. @param {any} value */
function cell(value) {
  const text = String(value ?? "").replaceAll('"', '""');
  return `"${text.replace(/^([=+@-])(?!\d)/, "'$1")}"`;
}

/** @param {string[]} columns @param {Record<string, any>[]} rows */
export const csv = (columns, rows) =>
  [columns.join(","), ...rows.map((row) => columns.map((name) => cell(row[name])).join(","))].join("\r\n");

/** @param {string} name of the file @param {string} text @param {string} type */
export function save(name, text, type = "text/csv") {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1_000);
}

/** `fills-2026-11-21.csv`, with nothing in it that a file's name must not have. @param {string} what */
export const fileName = (what, ending = "csv") =>
  `${what.replace(/[^A-Za-z0-9]+/g, "-").toLowerCase()}-${new Date().toISOString().slice(0, 10)}.${ending}`;
