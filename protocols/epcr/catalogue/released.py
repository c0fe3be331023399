"""Allow-list of de-identification: the keys of the elements that may leave to a partner.

An element that is not listed here is invisible to partners, also a new one. List an element only if its values come
from a closed set (codes, numbers, times): a free text may contain a name. The times of a mission are listed, since they
are facts of the service; the date of birth is not.
"""

RELEASED = frozenset(
    """
    call.service_requested call.unit_capability call.dispatch_delay call.response_delay call.scene_delay
    call.transport_delay call.turnaround_delay call.mode_to_scene call.mode_details call.reason call.questions
    call.priority
    crew.role
    scene.first_unit scene.patients scene.mass_casualty scene.triage scene.place
    times.call_received times.dispatch_notified times.unit_notified times.en_route times.on_scene
    times.at_patient times.handed_over times.left_scene times.at_destination times.transfer_of_care
    times.in_service times.cancelled
    patient.age patient.age_unit patient.sex
    situation.onset situation.possible_injury situation.complaint_type situation.duration
    situation.duration_unit situation.body_region situation.organ_system situation.primary_symptom
    situation.other_symptoms situation.primary_impression situation.secondary_impressions situation.acuity
    situation.last_known_well
    history.barriers history.directives history.drug_allergies history.other_allergies history.conditions
    history.source history.substances history.pregnancy history.last_intake
    own_medicines.drug own_medicines.dose own_medicines.dose_unit own_medicines.route own_medicines.frequency
    vitals.time vitals.before_unit vitals.rhythm vitals.ecg_type vitals.ecg_reader vitals.systolic
    vitals.diastolic vitals.pressure_method vitals.mean_pressure vitals.heart_rate vitals.heart_rate_method
    vitals.spo2 vitals.pulse_rhythm vitals.breathing_rate vitals.breathing_effort vitals.etco2
    vitals.carboxyhaemoglobin vitals.glucose vitals.gcs_eye vitals.gcs_verbal vitals.gcs_motor
    vitals.gcs_qualifier vitals.gcs_sum vitals.temperature vitals.temperature_site vitals.avpu vitals.pain
    vitals.pain_scale vitals.stroke_result vitals.stroke_scale vitals.stroke_score vitals.thrombolysis
    vitals.apgar vitals.trauma_score
    exam.weight exam.length_tape exam.skin exam.head exam.face exam.neck exam.heart exam.pelvis exam.mental
    exam.neurological exam.stroke_resolved
    lungs.side lungs.findings
    chest.site chest.findings
    abdomen.site abdomen.findings
    spine.site spine.findings
    limbs.site limbs.findings
    eyes.side eyes.findings
    injury.cause injury.mechanism injury.high_risk injury.moderate_risk injury.seat injury.safety_equipment
    injury.airbag injury.height_of_fall
    arrest.present arrest.cause arrest.resuscitation arrest.witnessed_by arrest.aed_before arrest.cpr_kind
    arrest.first_rhythm arrest.rosc arrest.time arrest.stopped_at arrest.stopped_why
    arrest.rhythm_at_destination arrest.end arrest.first_cpr arrest.cpr_begun_by arrest.aed_applied_by
    arrest.first_shock_by arrest.cooling arrest.cpc
    medications.time medications.before_unit medications.drug medications.route medications.dose
    medications.dose_unit medications.response medications.complications medications.role medications.order
    procedures.time procedures.before_unit procedures.procedure procedures.attempts procedures.success
    procedures.complications procedures.response procedures.role procedures.access_site procedures.technique
    airway.indication airway.complications airway.failure_reasons airway.decided_at airway.abandoned_at
    airway_checks.time airway_checks.device airway_checks.method airway_checks.depth airway_checks.role
    devices.time devices.event devices.mode devices.leads devices.shock_type devices.shock_energy devices.shocks
    devices.pacing_rate
    protocols.protocol protocols.age_group
    disposition.moved_to_vehicle disposition.position disposition.moved_from_vehicle disposition.transport_kind
    disposition.transport_mode disposition.acuity disposition.destination_reason disposition.destination_type
    disposition.hospital_capability disposition.unit disposition.care disposition.crew disposition.transport
    disposition.release_reason disposition.level_of_care
    team_alerts.team team_alerts.time
    outcome.ed_disposition
    """.split()  # noqa: SIM905  a hundred lines of quotes would hide the keys
)
"""Keys of the elements that may leave to a partner."""
