"use client";

import { useChat } from "@ai-sdk/react";
import { isToolUIPart, getToolName } from "ai";

const QUESTION = "What should I know before I call Lovelace?";

export default function Page() {
  const { messages, sendMessage, status } = useChat();
  return (
    <main>
      <button
        type="button"
        disabled={status !== "ready"}
        onClick={() => void sendMessage({ text: QUESTION })}
      >
        {QUESTION}
      </button>
      {messages.flatMap(({ id, role, parts }) =>
        parts.map((part, index) => {
          const key = `${id}-${index}`;
          if (part.type === "text") {
            return (
              <p key={key} data-role={role}>
                {part.text}
              </p>
            );
          }
          if (isToolUIPart(part)) {
            return (
              <pre key={key}>
                {getToolName(part)} {part.state}
              </pre>
            );
          }
          return null;
        }),
      )}
    </main>
  );
}
