/** The words of the verification page in English and Polish. */
import type { Reason } from "../src/evidence/index.js";

export type Language = "en" | "pl";

/** `{…}` is replaced by a value of the transcript, which is inserted as text. */
export interface Texts {
  readonly title: string;
  readonly intro: string;
  readonly transcript: string;
  readonly transcriptHint: string;
  readonly transcriptChoose: string;
  readonly keys: string;
  readonly keysHint: string;
  readonly keysChoose: string;
  readonly paste: string;
  readonly pasteLabel: string;
  readonly expected: string;
  readonly expectedHint: string;
  readonly evidence: string;
  readonly tenant: string;
  readonly chosen: string;
  readonly pasted: string;
  readonly noFile: string;
  readonly drop: string;
  readonly result: string;
  readonly nothingYet: string;
  readonly working: string;
  readonly refusals: Readonly<Record<Refusal, string>>;
  readonly outcomes: Readonly<Record<Outcome, readonly [headline: string, explanation: string]>>;
  readonly notShown: string;
  readonly keyAdvice: string;
  readonly faults: readonly [one: string, many: string];
  readonly record: string;
  readonly whole: string;
  readonly more: string;
  readonly facts: Readonly<Record<Fact, string>>;
  readonly signedTimes: string;
  readonly asStated: string;
  readonly asExpected: string;
  readonly recordsWithFaults: string;
  readonly contentNot: string;
  readonly about: string;
  readonly licence: string;
  readonly reasons: Readonly<Record<Reason, string>>;
}

export type Outcome = "intact" | "broken" | "keysIncomplete" | "noKeys" | "secretKeys" | "withdrawn";
/** Why a document is refused. `{reason}` of the last three is technical English. */
export type Refusal = "tooLarge" | "pastedTooLarge" | "unreadable" | "noTranscript" | "noKeys" | "pastedNoKeys";
export type Fact = "file" | "keysFile" | "evidence" | "tenant" | "records" | "signed" | "algorithm" | "root" | "content";

const EN: Texts = {
  title: "Verify a transcript of evidence",
  intro:
    "This page checks whether a transcript of evidence from Argus is as it was signed. The check runs in this browser. Nothing is sent: the page cannot use the network.",
  transcript: "Transcript",
  transcriptHint: "A file in JSON or JSON-LD form, up to 192 MiB.",
  transcriptChoose: "Choose the transcript",
  keys: "Published keys",
  keysHint:
    "The document /.well-known/provenance-keys/ml-dsa-65 of the cloud, saved as a file. Get it from the cloud or from someone you trust, and not from the person who gave you the transcript: with other keys, anyone can make a transcript.",
  keysChoose: "Choose the keys",
  paste: "Paste the keys instead",
  pasteLabel: "Text of the keys document",
  expected: "Expected evidence and tenant",
  expectedHint: "Optional. The check then reports a transcript of other evidence or of another tenant.",
  evidence: "Evidence",
  tenant: "Tenant",
  chosen: "Chosen: {name}",
  pasted: "pasted text",
  noFile: "No file chosen. You can also drop files anywhere on this page.",
  drop: "Drop the transcript and the keys here",
  result: "Result",
  nothingYet: "Choose a transcript to begin.",
  working: "Checking record {done} of {all}…",
  refusals: {
    tooLarge: "The file {name} is too large.",
    pastedTooLarge: "The pasted text is too large.",
    unreadable: "The file {name} cannot be read.",
    noTranscript: "The file {name} is not a transcript of evidence: {reason}.",
    noKeys: "The file {name} is not a document of published keys: {reason}.",
    pastedNoKeys: "The pasted text is not a document of published keys: {reason}.",
  },
  outcomes: {
    intact: [
      "Intact",
      "The transcript is as it was signed. Each record has a valid signature and follows the record before it. The Merkle root, one hash over all records, fits them, and its signature is valid. So no record was changed, inserted, moved, or removed between others since it was signed.",
    ],
    broken: ["Not intact", "The transcript is not as it was signed. The faults below name what was changed."],
    keysIncomplete: [
      "Not intact, or the keys are not complete",
      "Signatures name a key that the keys document does not have.",
    ],
    noKeys: [
      "Not verified",
      "No signature was checked, because no keys were given. The records and the Merkle root fit together, but anyone can make such a chain. Add the published keys.",
    ],
    secretKeys: [
      "Not verified",
      "This transcript is signed with hmac-sha256. Its keys are secret, so only the cloud can check it. Request it again with algorithm=ml-dsa-65, or send it to the verify operation of the cloud.",
    ],
    withdrawn: [
      "Not verified",
      "Each signature fits, but the key was withdrawn, so its signatures alone prove nothing: the private key may be stolen, and a thief can state any time. A record counts if a tree head with a time stamp from before the withdrawal contains it, or if the verify operation of the cloud reports it as valid.",
    ],
  },
  notShown:
    "This does not show whether the evidence has later records. The verify operation of the cloud shows it, and so does a tree head of a later day.",
  keyAdvice:
    "A key that is unknown: get the keys document of the cloud again. Its keys stay published for ever. If a new document does not have this key either, its identifier was changed, or the key is not of the cloud.",
  faults: ["1 fault", "{count} faults"],
  record: "Record {number} ({id})",
  whole: "Whole transcript",
  more: "and {count} more",
  facts: {
    file: "Transcript",
    keysFile: "Keys",
    evidence: "Evidence",
    tenant: "Tenant",
    records: "Records",
    signed: "Signed",
    algorithm: "Algorithm",
    root: "Merkle root",
    content: "Content",
  },
  signedTimes: "{from} to {to}, as the records state",
  asStated: "{id}, as the transcript states",
  asExpected: "{id}, expected {expected}",
  recordsWithFaults: "{count}, {broken} of them with a fault",
  contentNot: "not compared with the records",
  about: "argus-sdk {version}. The program argus-verify does the same check on the command line.",
  licence: "No licence has been chosen yet. Before you use, copy or distribute this software, contact the owner of the repository.",
  reasons: {
    signature_invalid: "The signature does not fit. The record was changed after it was signed, or it belongs to other evidence.",
    signature_malformed: "The signature does not have the form that its algorithm prescribes.",
    algorithm_unknown: "The record names a signature algorithm that does not exist.",
    algorithm_mismatch: "The record names another signature algorithm than the transcript.",
    key_unknown: "The given keys have none with the identifier that the record names.",
    key_withdrawn: "The signature fits, and its key was withdrawn. A thief of the key could make this record.",
    signed_outside_key_period: "The signature fits, and the record states a time at which its key did not sign.",
    parent_missing: "The record before this one is not in the transcript. It was removed.",
    record_out_of_order: "The record does not follow the record that it names as the one before it.",
    parent_hash_mismatch: "The record states another hash for the record before it than that record has.",
    record_duplicate: "The record is in the transcript more than once.",
    content_hash_mismatch: "The content that was given is not the content that the record was made for.",
    tenant_mismatch: "The transcript names another tenant than expected.",
    evidence_mismatch: "The transcript names other evidence than expected.",
    identity_mismatch: "No signature fits the tenant and evidence that the transcript names.",
    record_count_mismatch: "The transcript does not have as many records as it states.",
    merkle_root_mismatch: "The Merkle root does not fit the records. Records or the root were changed.",
    root_signature_invalid: "The signature of the Merkle root does not fit.",
    root_signature_malformed: "The signature of the Merkle root does not have the form that its algorithm prescribes.",
    root_algorithm_unknown: "The Merkle root names a signature algorithm that does not exist.",
    root_key_unknown: "The given keys have none with the identifier that the Merkle root names.",
    root_key_withdrawn: "The signature of the Merkle root fits, and its key was withdrawn.",
    graph_mismatch: "The PROV-O graph states something else than the signed transcript inside the file.",
  },
};

const PL: Texts = {
  title: "Weryfikacja transkryptu materiału dowodowego",
  intro:
    "Ta strona sprawdza, czy transkrypt materiału dowodowego z systemu Argus nie zmienił się od chwili podpisania. Wszystko odbywa się w przeglądarce. Strona nie ma dostępu do sieci i niczego nie wysyła.",
  transcript: "Transkrypt",
  transcriptHint: "Plik JSON lub JSON-LD, do 192 MiB.",
  transcriptChoose: "Wybierz transkrypt",
  keys: "Opublikowane klucze",
  keysHint:
    "Dokument /.well-known/provenance-keys/ml-dsa-65 z chmury, zapisany jako plik. Pobierz go z chmury albo weź od kogoś, komu ufasz, ale nie od osoby, która przekazała transkrypt, bo transkrypt pasujący do innych kluczy może sporządzić każdy.",
  keysChoose: "Wybierz klucze",
  paste: "Wklej klucze jako tekst",
  pasteLabel: "Treść dokumentu z kluczami",
  expected: "Oczekiwany materiał dowodowy i tenant",
  expectedHint: "Opcjonalnie. Strona zgłosi wtedy transkrypt innego materiału dowodowego lub innego tenanta.",
  evidence: "Materiał dowodowy",
  tenant: "Tenant",
  chosen: "Wybrano: {name}",
  pasted: "wklejony tekst",
  noFile: "Nie wybrano pliku. Pliki można też upuścić w dowolnym miejscu strony.",
  drop: "Upuść tutaj transkrypt i klucze",
  result: "Wynik",
  nothingYet: "Zacznij od wybrania transkryptu.",
  working: "Sprawdzanie wpisu {done} z {all}…",
  refusals: {
    tooLarge: "Plik „{name}” jest za duży.",
    pastedTooLarge: "Wklejony tekst jest za długi.",
    unreadable: "Nie można odczytać pliku „{name}”.",
    noTranscript: "Plik „{name}” nie jest transkryptem materiału dowodowego. Opis błędu po angielsku: {reason}.",
    noKeys: "Plik „{name}” nie jest dokumentem z opublikowanymi kluczami. Opis błędu po angielsku: {reason}.",
    pastedNoKeys: "Wklejony tekst nie jest dokumentem z opublikowanymi kluczami. Opis błędu po angielsku: {reason}.",
  },
  outcomes: {
    intact: [
      "Nienaruszony",
      "Transkrypt jest taki sam jak w chwili podpisania. Każdy wpis ma ważny podpis i następuje po swoim poprzedniku. Korzeń drzewa Merkle’a, czyli jeden skrót wszystkich wpisów, zgadza się z nimi, a jego podpis jest ważny. Od chwili podpisania żadnego wpisu nie zmieniono, nie wstawiono, nie przestawiono ani nie usunięto spomiędzy innych.",
    ],
    broken: ["Naruszony", "Transkrypt różni się od tego, co podpisano. Poniższe nieprawidłowości wskazują, co zmieniono."],
    keysIncomplete: [
      "Naruszony albo klucze są niekompletne",
      "Podpisy wskazują klucz, którego nie ma w dokumencie z kluczami.",
    ],
    noKeys: [
      "Niezweryfikowany",
      "Nie sprawdzono żadnego podpisu, bo nie podano kluczy. Wpisy i korzeń drzewa Merkle’a pasują do siebie, ale taki łańcuch może sporządzić każdy. Dodaj opublikowane klucze.",
    ],
    secretKeys: [
      "Niezweryfikowany",
      "Transkrypt podpisano algorytmem hmac-sha256. Jego klucze są tajne, więc sprawdzić go może tylko chmura. Pobierz transkrypt ponownie z parametrem algorithm=ml-dsa-65 albo wyślij go do operacji verify w chmurze.",
    ],
    withdrawn: [
      "Niezweryfikowany",
      "Podpisy się zgadzają, ale klucz unieważniono, więc same podpisy niczego nie dowodzą: klucz prywatny mógł zostać skradziony, a złodziej może podać dowolny czas. Wpis jest wiarygodny, jeśli zawiera go podpisany korzeń drzewa ze znacznikiem czasu sprzed unieważnienia albo jeśli operacja verify w chmurze uzna go za ważny.",
    ],
  },
  notShown:
    "Wynik nie mówi, czy materiał dowodowy ma późniejsze wpisy. Pokaże to operacja verify w chmurze albo podpisany korzeń drzewa z późniejszego dnia.",
  keyAdvice:
    "Nieznany klucz: pobierz z chmury dokument z kluczami jeszcze raz. Klucze chmury pozostają opublikowane na zawsze. Jeśli w nowym dokumencie też go nie ma, zmieniono identyfikator klucza albo klucz nie należy do chmury.",
  faults: ["Nieprawidłowości: 1", "Nieprawidłowości: {count}"],
  record: "Wpis {number} ({id})",
  whole: "Cały transkrypt",
  more: "i jeszcze {count}",
  facts: {
    file: "Transkrypt",
    keysFile: "Klucze",
    evidence: "Materiał dowodowy",
    tenant: "Tenant",
    records: "Wpisy",
    signed: "Podpisano",
    algorithm: "Algorytm",
    root: "Korzeń drzewa",
    content: "Treść",
  },
  signedTimes: "od {from} do {to} (według wpisów)",
  asStated: "{id} (według transkryptu)",
  asExpected: "{id}, oczekiwano {expected}",
  recordsWithFaults: "{count}, w tym nieprawidłowe: {broken}",
  contentNot: "nie porównano z wpisami",
  about: "argus-sdk {version}. To samo sprawdzenie wykonuje w wierszu poleceń program argus-verify.",
  licence: "Nie wybrano jeszcze licencji. Zanim użyjesz tego oprogramowania, skopiujesz je lub rozpowszechnisz, skontaktuj się z właścicielem repozytorium.",
  reasons: {
    signature_invalid: "Podpis się nie zgadza. Wpis został zmieniony po podpisaniu albo należy do innego materiału dowodowego.",
    signature_malformed: "Podpis nie ma postaci wymaganej przez algorytm.",
    algorithm_unknown: "Wpis wskazuje nieistniejący algorytm podpisu.",
    algorithm_mismatch: "Wpis wskazuje inny algorytm podpisu niż transkrypt.",
    key_unknown: "Wśród podanych kluczy nie ma klucza wskazanego przez wpis.",
    key_withdrawn: "Podpis się zgadza, ale klucz unieważniono. Wpis mógł sporządzić złodziej klucza.",
    signed_outside_key_period: "Podpis się zgadza, ale wpis podaje czas, w którym tym kluczem nie podpisywano.",
    parent_missing: "Poprzedniego wpisu nie ma w transkrypcie. Został usunięty.",
    record_out_of_order: "Wpis nie następuje po tym, który wskazuje jako poprzedni.",
    parent_hash_mismatch: "Podany we wpisie skrót poprzedniego wpisu jest inny niż rzeczywisty.",
    record_duplicate: "Wpis występuje w transkrypcie więcej niż raz.",
    content_hash_mismatch: "Podana treść nie jest treścią, której dotyczy wpis.",
    tenant_mismatch: "Transkrypt wskazuje innego tenanta, niż oczekiwano.",
    evidence_mismatch: "Transkrypt wskazuje inny materiał dowodowy, niż oczekiwano.",
    identity_mismatch: "Żaden podpis nie zgadza się z tenantem i materiałem dowodowym wskazanymi w transkrypcie.",
    record_count_mismatch: "Liczba wpisów jest inna, niż podaje transkrypt.",
    merkle_root_mismatch: "Korzeń drzewa nie zgadza się z wpisami. Zmieniono wpisy albo korzeń.",
    root_signature_invalid: "Podpis korzenia drzewa się nie zgadza.",
    root_signature_malformed: "Podpis korzenia drzewa nie ma postaci wymaganej przez algorytm.",
    root_algorithm_unknown: "Przy korzeniu drzewa podano nieistniejący algorytm podpisu.",
    root_key_unknown: "Wśród podanych kluczy nie ma klucza wskazanego przy korzeniu drzewa.",
    root_key_withdrawn: "Podpis korzenia drzewa się zgadza, ale klucz unieważniono.",
    graph_mismatch: "Graf PROV-O mówi co innego niż podpisany transkrypt w tym samym pliku.",
  },
};

export const TEXTS: Readonly<Record<Language, Texts>> = { en: EN, pl: PL };

/** Return a text with its values. */
export function filled(text: string, values: Readonly<Record<string, string | number>>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}
