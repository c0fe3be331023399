// Spectral's recommended rules and the OWASP API security rules, each exception with its reason.
import { oas } from "@stoplight/spectral-rulesets";
import owasp from "@stoplight/spectral-owasp-ruleset";

// Limits protect the server, so they are required of what a client sends. Texts and numbers of responses have the
// limits of what was stored. `traceparent` is not limited, since a malformed one is ignored, and the parameters of an
// authorization request have one limit together, that of the address.
const sent = (type, of = '@.name!="traceparent"') => [
  `$.paths[*].parameters[?(${of})][?(@property=="schema" && @.type=="${type}")]`,
  `$.paths[?(@property!="/v1/oauth/authorize")][*].parameters[?(${of})][?(@property=="schema" && @.type=="${type}")]`,
  `$.paths[*][*].requestBody.content[*].schema..[?(@ && @.type=="${type}")]`,
];
const about = (name, given) => {
  const full = `owasp:api4:2023-${name}`;
  return { [full]: { ...owasp.rules[full], given } };
};

export default {
  extends: [oas, owasp],
  rules: {
    ...about("string-limit", sent("string")),
    ...about("array-limit", sent("array")),
    // A page size above the maximum counts as the maximum.
    ...about("integer-limit", sent("integer", '@.name!="limit"')),
    ...about("integer-format", sent("integer", '@.name!="limit"')),
    // Names, addresses and opaque values have no pattern; each has a length.
    "owasp:api4:2023-string-restricted": "off",
    // No other origin may read responses, except those of the public documents.
    "owasp:api8:2023-define-cors-origin": "off",
    // Access tokens expire, and there are no refresh tokens: a client asks for a new token.
    "owasp:api2:2023-short-lived-access-tokens": "off",
    // RFC 6749 section 2.3.1 requires HTTP Basic of the token endpoint.
    "owasp:api2:2023-no-http-basic": "off",
    // The public documents: keys, this description, the catalogue and the schemas.
    "owasp:api2:2023-read-restricted": "off",
    // A public operation has no 401. The tests compare the responses of all others with the document.
    "owasp:api8:2023-define-error-responses-401": "off",
    // `default` describes every other error, in the same form.
    "owasp:api8:2023-define-error-responses-500": "off",
  },
};
