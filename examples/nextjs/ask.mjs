// Asks the app as its page does, and prints what the model says in the end.
//
//     node ask.mjs http://127.0.0.1:3000

const text = "What should I know before I call Lovelace?";
const response = await fetch(`${process.argv[2]}/api/chat`, {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({
    id: "example-nextjs",
    messages: [{ id: "m1", role: "user", parts: [{ type: "text", text }] }],
  }),
});
if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
const events = (await response.text())
  .split("\n")
  .filter((line) => line.startsWith("data: {"))
  .map((line) => JSON.parse(line.slice("data: ".length)));
for (const event of events) {
  if (event.type === "error") throw new Error(event.errorText);
  if (event.type === "tool-output-available") console.log(`  ${event.toolCallId} answered`);
  if (event.type === "text-delta") process.stdout.write(event.delta);
}
console.log();
