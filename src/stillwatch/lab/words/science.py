"""Content words of scientific and technical topics: health, biology, physics, logistics."""

from __future__ import annotations

HEALTH = {
    "noun": """symptom diagnosis prognosis referral triage ward clinic discharge_letter prescription dose
    dosage_schedule side_effect interaction contraindication allergy rash fever cough headache migraine fatigue
    nausea dizziness insomnia blood_pressure pulse heart_rate oxygen_level glucose cholesterol ferritin thyroid
    kidney liver lung artery vein valve stroke infarction arrhythmia asthma bronchitis pneumonia diabetes
    anaemia arthritis osteoporosis fracture sprain tendon ligament physiotherapy stretch posture rehabilitation
    surgery incision suture anaesthetic recovery wound dressing infection antibiotic vaccine booster antibody
    screening biopsy ultrasound scan x_ray lab_result reference_range blood_test urine_sample culture swab
    pregnancy trimester midwife newborn growth_chart immunisation_record adolescence menopause therapy counselling
    anxiety depression panic_attack mood_diary coping_strategy sleep_log nutrition calorie protein fibre vitamin
    supplement hydration exercise_plan endurance strength_session warm_up waiting_list appointment care_plan
    consent_form insurance_claim medical_record handover shift ward_round checklist clinical_trial placebo
    cohort_study adverse_event guideline""",
    "adj": """acute chronic mild moderate severe recurrent benign malignant viral bacterial fungal autoimmune
    hereditary congenital postoperative preventive palliative outpatient inpatient oral topical intravenous
    fasting elevated reduced irregular persistent intermittent swollen sore itchy inflamed sensitive stable
    critical routine urgent elderly paediatric pregnant diabetic hypertensive vegetarian""",
    "verb": """diagnose treat prescribe taper titrate monitor screen refer admit discharge vaccinate examine
    palpate measure record interpret explain reassure counsel rehabilitate stretch strengthen rest hydrate
    elevate bandage disinfect suture transfuse scan biopsy triage consult schedule follow_up document review
    compare avoid relieve prevent""",
    "person": """nurse physician physiotherapist pharmacist dietitian midwife caregiver patient surgeon
    radiologist therapist ward_manager paramedic""",
}

BIOLOGY = {
    "noun": """cell membrane nucleus ribosome mitochondrion chloroplast vacuole enzyme substrate inhibitor
    receptor ligand pathway kinase phosphatase promoter enhancer transcript codon intron exon splice_site protein
    peptide domain fold chaperone antibody antigen epitope plasmid vector clone colony culture medium agar pipette
    centrifuge gel band primer amplicon polymerase ligase restriction_site sequencing_read alignment contig genome
    annotation variant mutation allele genotype phenotype heterozygote linkage pedigree inheritance population
    drift selection fitness speciation clade phylogeny outgroup fossil morphology habitat niche predator prey
    parasite host symbiont pollinator flower seed root leaf stem xylem phloem stomata photosynthesis respiration
    fermentation metabolite nutrient nitrogen_fixation soil_sample biomass canopy understorey wetland reef plankton
    fishery migration nesting_site transect quadrat census tag recapture bacteria archaea fungus virus phage
    biofilm spore immunity macrophage lymphocyte cytokine inflammation neuron synapse axon neurotransmitter hormone
    feedback_loop circadian_rhythm embryo stem_cell differentiation tissue organoid microscope stain fluorescence""",
    "adj": """aerobic anaerobic haploid diploid recessive dominant heterozygous homozygous conserved divergent
    endemic invasive nocturnal migratory sessile motile photosynthetic heterotrophic vertebrate invertebrate
    aquatic terrestrial tropical temperate cellular extracellular membrane_bound soluble phosphorylated knocked_out
    overexpressed wild_type mutant transgenic sterile contaminated viable dormant fertile juvenile adult""",
    "verb": """culture transfect transform ligate digest amplify sequence align annotate assemble stain fix image
    isolate purify precipitate elute centrifuge dilute titrate incubate inoculate harvest dissect observe count tag
    track sample survey classify cross breed knock_out express induce inhibit activate bind cleave replicate""",
    "person": """lab_technician ecologist geneticist field_biologist microbiologist botanist postdoc
    graduate_student taxonomist conservation_officer bioinformatician""",
}

PHYSICS = {
    "noun": """force mass acceleration velocity momentum impulse torque inertia angular_momentum pendulum spring
    oscillator resonance damping wave wavelength frequency amplitude phase interference diffraction grating lens
    mirror refraction polarisation laser photon electron proton neutron quark boson fermion spin orbital energy_level
    emission_line spectrum decay half_life isotope reactor fission fusion plasma field charge current voltage
    resistor capacitor inductor circuit transistor diode amplifier filter noise signal_ratio magnet flux induction
    transformer motor turbine heat temperature entropy enthalpy pressure volume ideal_gas phase_transition
    latent_heat conduction convection radiation_balance viscosity turbulence reynolds_number boundary_layer drag lift
    stress strain modulus fracture beam truss buckling vibration_mode orbit satellite trajectory escape_velocity
    gravity_assist star galaxy redshift dark_matter telescope detector calibration uncertainty error_bar
    dimensional_analysis unit vector tensor matrix eigenvalue integral derivative boundary_condition initial_value
    perturbation symmetry conservation_law lagrangian hamiltonian wavefunction operator commutator measurement
    entanglement qubit crystal lattice band_gap semiconductor superconductor""",
    "adj": """elastic inelastic rigid frictionless viscous laminar turbulent adiabatic isothermal reversible
    irreversible relativistic classical quantum coherent incoherent monochromatic polarised charged neutral excited
    ionised radioactive magnetic conductive insulating superconducting orthogonal parallel perpendicular harmonic
    damped driven periodic chaotic stationary transient isotropic anisotropic thin thick infinite""",
    "verb": """derive integrate differentiate solve approximate linearise simulate measure calibrate collide scatter
    reflect refract diffract absorb emit radiate heat cool compress expand accelerate decelerate rotate oscillate
    resonate amplify attenuate filter modulate quantise normalise diagonalise project estimate sketch verify conserve
    transform""",
    "person": """experimentalist theorist lab_partner teaching_assistant engineer astronomer tutor physicist
    instrument_maker examiner student""",
}

LOGISTICS = {
    "noun": """warehouse pallet carton container manifest waybill shipment consignment parcel courier dispatch dock
    loading_bay forklift conveyor picker packing_slip barcode scanner inventory stock_level reorder_point safety_stock
    lead_time supplier vendor purchase_order goods_receipt return_label damaged_item claim freight carrier route stop
    driver_shift rest_period tachograph fuel_surcharge toll trailer axle_load cold_chain temperature_log shelf_life
    batch_number recall quality_check inspection_report customs_declaration duty broker bonded_store incoterm
    port_call berth vessel voyage container_yard demurrage air_freight rail_slot intermodal_hub last_mile locker
    delivery_window missed_delivery signature proof_of_delivery tracking_event exception_queue backlog peak_season
    capacity_plan slot_booking labour_plan shift_roster wave_picking cross_dock putaway cycle_count stocktake
    shrinkage obsolete_stock demand_signal forecast_error service_level fill_rate stockout backorder allocation_rule
    assembly_line kit bill_of_materials work_order changeover bottleneck takt_time throughput scrap_rate
    maintenance_window spare_part machine_downtime safety_incident packaging dunnage recycling_bin emission_report
    fleet vehicle_telematics geofence yard_move cross_border_lane tender_round rate_card""",
    "adj": """inbound outbound perishable fragile oversized hazardous refrigerated bonded palletised loose damaged
    delayed expedited consolidated split partial overdue cancelled rerouted returned urgent scheduled seasonal
    nearshore offshore dedicated shared insured uninsured sealed labelled unlabelled overstocked understocked
    obsolete nightly regional long_haul""",
    "verb": """ship dispatch route reroute consolidate palletise load unload pick pack label scan count receive inspect
    quarantine release allocate reserve replenish reorder expedite delay cancel return refund insure declare clear
    invoice track trace audit plan forecast schedule optimise outsource insource tender""",
    "person": """dispatcher warehouse_lead driver customs_broker planner buyer fleet_manager shift_supervisor
    inventory_clerk carrier_desk supplier_manager""",
}
