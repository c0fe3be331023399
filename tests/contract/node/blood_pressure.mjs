// HL7's profile of blood pressures (bp of R4), in a form that Medplum's validator reads without loss.
//
// The profile finds its components by a slice of the codes inside of each slice of the components. Medplum 5.2 ends the
// outer slice where the inner one begins, so that no panel has the components that the profile requires, and it does not
// compare what is inside of a component with the slice that the component is in (medplum/medplum issue 8677). So
//   - the inner slices become what they mean, a pattern of the component's code, as the profile of US Core has it;
//   - each component is also compared with its slice alone: a profile whose components all are of this slice.
// Every number, unit and code that HL7's definition states stays as it is.
const COMPONENT = "Observation.component";

function folded(profile) {
  const copy = structuredClone(profile);
  const elements = copy.snapshot.element;
  const codes = elements.filter((one) => /^Observation\.component:\w+\.code$/.test(one.id));
  for (const code of codes) {
    const fixed = (name) => elements.find((one) => one.id.startsWith(`${code.id}.coding:`) && one.id.endsWith(`.${name}`));
    code.patternCodeableConcept = { coding: [{ system: fixed("system").fixedUri, code: fixed("code").fixedCode }] };
  }
  if (codes.length !== 2) throw new Error("the profile bp has other slices than this program knows");
  elements.find((one) => one.id === COMPONENT).slicing.discriminator = [{ type: "pattern", path: "code" }];
  copy.snapshot.element = elements.filter((one) => !codes.some((code) => one.id.startsWith(`${code.id}.coding`)));
  return copy;
}

function onlySlice(profile, name) {
  const copy = structuredClone(profile);
  const own = (one) => !one.id.startsWith(COMPONENT) || one.id.startsWith(`${COMPONENT}:${name}`);
  copy.snapshot.element = copy.snapshot.element.filter(own);
  for (const one of copy.snapshot.element) {
    one.id = one.id.replace(`${COMPONENT}:${name}`, COMPONENT);
    if (one.sliceName === name) delete one.sliceName;
  }
  return copy;
}

// Returns the pairs of a resource and a profile that together compare an observation with the profile bp.
export function bloodPressureChecks(profile) {
  const whole = folded(profile);
  const slices = whole.snapshot.element
    .filter((one) => one.patternCodeableConcept && one.id.startsWith(`${COMPONENT}:`))
    .map((one) => [one.patternCodeableConcept.coding[0], onlySlice(whole, one.id.match(/:(\w+)/)[1])]);
  return (observation) => [
    [observation, whole],
    ...(observation.component ?? []).flatMap((component) =>
      slices
        .filter(([wanted]) => component.code.coding?.some((one) => one.system === wanted.system && one.code === wanted.code))
        .map(([, slice]) => [{ ...observation, component: [component] }, slice]),
    ),
  ];
}
