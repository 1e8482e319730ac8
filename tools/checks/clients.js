// Prints the mail clients that would show a letter worse than the bar: node clients.js LETTER.html
import { readFileSync } from "node:fs";
import { auditEmail } from "@emailens/engine";

const BARS = {
  "gmail-web": 94,
  "outlook-windows": 79,
  "apple-mail-macos": 100,
  "apple-mail-ios": 100,
};

const { compatibility } = auditEmail(readFileSync(process.argv[2], "utf8"));
for (const [client, bar] of Object.entries(BARS)) {
  const { score } = compatibility.scores[client];
  if (score < bar) {
    const causes = compatibility.warnings.filter(
      (warning) => warning.client === client && warning.severity !== "info",
    );
    const names = [...new Set(causes.map((warning) => warning.property))];
    console.log(`${client}: ${score}, less than ${bar}: ${names.join(", ")}`);
  }
}
