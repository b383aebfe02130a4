"""The level at which an attribute that is not indexed belongs, by the modules of PS3.3; does no I/O.

Decides what a search answers: attributes of a lower level are not returned at a higher one (PS3.18 §10.6.3.3).
"""

from dicomweb_server.dicom.attributes import BY_TAG, Level
from dicomweb_server.dicom.dictionary import tags_by_keyword

# Attributes that the index computes, at the level where they are answered: (level, VR, keyword).
COMPUTED: dict[int, tuple[Level, str, str]] = {
    0x00080056: (Level.STUDY, "CS", "InstanceAvailability"),
    0x00080061: (Level.STUDY, "CS", "ModalitiesInStudy"),
    0x00080062: (Level.STUDY, "UI", "SOPClassesInStudy"),
    0x00081190: (Level.STUDY, "UR", "RetrieveURL"),
    0x00083002: (Level.INSTANCE, "UI", "AvailableTransferSyntaxUID"),
    0x00201200: (Level.PATIENT, "IS", "NumberOfPatientRelatedStudies"),
    0x00201202: (Level.PATIENT, "IS", "NumberOfPatientRelatedSeries"),
    0x00201204: (Level.PATIENT, "IS", "NumberOfPatientRelatedInstances"),
    0x00201206: (Level.STUDY, "IS", "NumberOfStudyRelatedSeries"),
    0x00201208: (Level.STUDY, "IS", "NumberOfStudyRelatedInstances"),
    0x00201209: (Level.SERIES, "IS", "NumberOfSeriesRelatedInstances"),
}

# Modules Patient and Clinical Trial Subject.
_PATIENT = """
    ReferencedPatientSequence TypeOfPatientID IssuerOfPatientIDQualifiersSequence
    SourcePatientGroupIdentificationSequence GroupOfPatientsIdentificationSequence PatientBirthTime
    PatientBirthDateInAlternativeCalendar PatientDeathDateInAlternativeCalendar PatientAlternativeCalendar
    PatientInsurancePlanCodeSequence PatientPrimaryLanguageCodeSequence OtherPatientIDs OtherPatientNames
    OtherPatientIDsSequence PatientBirthName PatientAddress PatientMotherBirthName MilitaryRank BranchOfService
    MedicalRecordLocator ReferencedPatientPhotoSequence MedicalAlerts Allergies CountryOfResidence
    RegionOfResidence PatientTelephoneNumbers PatientTelecomInformation EthnicGroup PatientReligiousPreference
    PatientSpeciesDescription PatientSpeciesCodeSequence PatientSexNeutered PatientBreedDescription
    PatientBreedCodeSequence BreedRegistrationSequence BreedRegistrationNumber BreedRegistryCodeSequence
    ResponsiblePerson ResponsiblePersonRole ResponsibleOrganization PatientComments ClinicalTrialSponsorName
    ClinicalTrialProtocolID ClinicalTrialProtocolName ClinicalTrialSiteID ClinicalTrialSiteName
    ClinicalTrialSubjectID ClinicalTrialSubjectReadingID PatientIdentityRemoved DeidentificationMethod
    DeidentificationMethodCodeSequence ClinicalTrialProtocolEthicsCommitteeName
    ClinicalTrialProtocolEthicsCommitteeApprovalNumber
"""
# Modules General Study, Patient Study and Clinical Trial Study, and what comes with the order.
_STUDY = """
    IssuerOfAccessionNumberSequence InstitutionAddress InstitutionCodeSequence ReferringPhysicianAddress
    ReferringPhysicianTelephoneNumbers ReferringPhysicianIdentificationSequence ConsultingPhysicianName
    ConsultingPhysicianIdentificationSequence ProcedureCodeSequence InstitutionalDepartmentName
    InstitutionalDepartmentTypeCodeSequence PhysiciansOfRecord PhysiciansOfRecordIdentificationSequence
    NameOfPhysiciansReadingStudy PhysiciansReadingStudyIdentificationSequence AdmittingDiagnosesDescription
    AdmittingDiagnosesCodeSequence ReferencedStudySequence StrainDescription StrainNomenclature
    StrainStockNumber StrainSourceRegistryCodeSequence StrainStockSequence StrainSource
    StrainAdditionalInformation StrainCodeSequence GeneticModificationsSequence PatientSize
    PatientSizeCodeSequence PatientBodyMassIndex MeasuredAPDimension MeasuredLateralDimension PatientWeight
    Occupation SmokingStatus AdditionalPatientHistory PregnancyStatus LastMenstrualDate ClinicalTrialTimePointID
    ClinicalTrialTimePointDescription LongitudinalTemporalOffsetFromEvent LongitudinalTemporalEventType
    ConsentForClinicalTrialUseSequence DistributionType ConsentForDistributionFlag
    EthicsCommitteeApprovalEffectivenessStartDate EthicsCommitteeApprovalEffectivenessEndDate StudyStatusID
    StudyPriorityID StudyVerifiedDate StudyReadDate ReasonForStudy RequestingPhysicianIdentificationSequence
    RequestingService RequestingServiceCodeSequence RequestedProcedureCodeSequence ReasonForVisit
    ReasonForVisitCodeSequence StudyComments AdmissionID IssuerOfAdmissionIDSequence AdmittingDate
    ServiceEpisodeID ServiceEpisodeDescription IssuerOfServiceEpisodeIDSequence PertinentDocumentsSequence
    PertinentResourcesSequence CurrentPatientLocation PatientState ReasonForPerformedProcedureCodeSequence
    PlacerOrderNumberImagingServiceRequest FillerOrderNumberImagingServiceRequest
"""
# Modules General Series, General Equipment, Frame of Reference, and of the series of modalities.
_SERIES = """
    PresentationIntentType SeriesDescriptionCodeSequence PerformingPhysicianIdentificationSequence
    OperatorIdentificationSequence ManufacturerModelName ReferencedPerformedProcedureStepSequence
    RelatedSeriesSequence AnatomicalOrientationType ClinicalTrialCoordinatingCenterName ClinicalTrialSeriesID
    ClinicalTrialSeriesDescription DeviceSerialNumber DeviceUID DeviceID GantryID UniqueDeviceIdentifier
    UDISequence ManufacturerDeviceClassUID SoftwareVersions DateOfLastCalibration TimeOfLastCalibration
    PatientPosition FrameOfReferenceUID PositionReferenceIndicator SmallestPixelValueInSeries
    LargestPixelValueInSeries PerformedProcedureStepEndDate PerformedProcedureStepEndTime
    PerformedProtocolCodeSequence CommentsOnThePerformedProcedureStep PatientOrientationCodeSequence SeriesType
    Units CountsSource ReprojectionMethod SUVType RandomsCorrectionMethod AttenuationCorrectionMethod
    DecayCorrection ReconstructionMethod ScatterCorrectionMethod AxialAcceptance AxialMash TransverseMash
    CoincidenceWindowWidth TreatmentSessionUID
"""

_LEVELS = {
    tag: level
    for level, keywords in ((Level.PATIENT, _PATIENT), (Level.STUDY, _STUDY), (Level.SERIES, _SERIES))
    for tag in map(tags_by_keyword().get, keywords.split())
    if tag is not None
} | {tag: attribute.level for tag, attribute in BY_TAG.items()}


def attribute_level(tag: int) -> Level | None:
    """The level of a public attribute; None for a private one, which may belong to any."""
    if tag in COMPUTED:
        return COMPUTED[tag][0]
    return None if tag >> 16 & 1 else _LEVELS.get(tag, Level.INSTANCE)
