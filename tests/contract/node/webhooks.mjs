// A receiver in JavaScript: the Standard Webhooks library judges requests as they arrived.
// Named requests come as JSON on standard input, the verdict on each goes as JSON to standard output.
import { readFileSync } from "node:fs";
import { Webhook, WebhookVerificationError } from "standardwebhooks";

const verdicts = {};
for (const [name, request] of Object.entries(JSON.parse(readFileSync(0, "utf8")))) {
  try {
    new Webhook(request.secret).verify(request.body, request.headers);
    verdicts[name] = true;
  } catch (error) {
    if (!(error instanceof WebhookVerificationError)) throw error;
    verdicts[name] = false;
  }
}
process.stdout.write(JSON.stringify(verdicts));
