"""Any server that speaks HL7 FHIR R4."""
