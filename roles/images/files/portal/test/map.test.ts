import assert from "node:assert/strict";
import test from "node:test";
import { BOX, layout, type Stack } from "../lib/map.ts";

const service = (name: string, layer: string) => ({ name, title: name, layer, purpose: "", endpoints: [] });
const STACK: Stack = {
  name: "s",
  title: "S",
  layers: { top: "Top", empty: "Empty", low: "Low" },
  services: [..."abcdefg"].map((name) => service(name, name < "c" ? "top" : "low")),
  flows: [{ name: "F", steps: [{ from: "customer", to: "a", label: "" }, { from: "a", to: "b", label: "" }, { from: "g", to: "a", label: "" }] }],
};

test("every service has a box, and none covers another", () => {
  const { boxes, width, height } = layout(STACK);
  assert.deepEqual(boxes.map((box) => box.id), ["customer", ..."abcdefg"]);
  for (const one of boxes) {
    assert.ok(one.x + BOX.width <= width && one.y + BOX.height <= height);
    for (const other of boxes)
      assert.ok(one === other || Math.abs(one.x - other.x) >= BOX.width || Math.abs(one.y - other.y) >= BOX.height);
  }
});

test("layers without services have no row, and every step is a line", () => {
  const { rows, lines } = layout(STACK);
  assert.deepEqual(rows.map((row) => row.title), ["Outside", "Top", "Low"]);
  assert.equal(lines.length, 3);
  for (const line of lines) assert.match(line.path, /^M[\d.]+,[\d.]+ C[\d.,\s-]+$/);
});

test("nothing is drawn of nothing", () => {
  assert.equal(layout({ name: "", title: "", layers: {}, services: [], flows: [] }).boxes.length, 0);
});
