"""Content words of topics people meet at work: software, data, finance, law.

One string of blanks-separated words for each kind; an underscore stands for a blank inside a term.
"""

from __future__ import annotations

SOFTWARE = {
    "noun": """parser scheduler cache endpoint migration queue worker thread mutex socket router middleware
    schema index_page container pod cluster branch commit merge pull_request changelog dependency lockfile
    linter compiler interpreter bytecode stack_trace exception handler callback promise coroutine event_loop
    buffer pointer allocator garbage_collector heap struct trait enum interface generic macro decorator closure
    iterator generator hook component reducer store selector stylesheet layout viewport bundle chunk_splitter
    webhook payload header cookie session token refresh_flow login_form rate_limiter retry_policy circuit_breaker
    health_check probe metric dashboard alert log_line trace span exporter agent_loop plugin extension manifest
    registry image volume mount secret environment_variable feature_flag rollout canary release_note hotfix
    regression unit_test fixture snapshot mock_server test_runner coverage_report benchmark profiler flame_graph
    memory_leak deadlock race_condition timeout backoff shard replica leader follower consensus_log checkpoint
    serializer deserializer encoder decoder tokenizer lexer syntax_tree visitor pretty_printer formatter
    command_line_flag config_file daemon cron_job shell_script makefile build_step artifact pipeline stage
    gateway load_balancer proxy certificate handshake cipher upload download stream offset cursor page_token""",
    "adj": """asynchronous blocking idempotent stateless stateful nested recursive lazy eager immutable mutable
    concurrent parallel distributed local remote cached stale flaky brittle legacy deprecated experimental
    internal public private static dynamic typed untyped generic verbose silent minimal portable
    backward_compatible broken slow hot cold empty duplicate circular optional required default nullable signed
    unsigned compressed encrypted partial incremental""",
    "verb": """refactor rename inline extract port rewrite debug profile benchmark deploy roll_back ship merge
    rebase vendor pin upgrade downgrade deprecate stub wrap expose hide encapsulate serialize parse validate
    sanitize escape encode decode compress cache invalidate prefetch batch debounce throttle retry schedule
    cancel poll subscribe publish migrate seed index shard replicate monitor trace instrument document lint
    format compile link""",
    "person": """reviewer maintainer backend_engineer frontend_engineer tester release_manager architect intern
    platform_team on_call_engineer contributor security_reviewer product_owner mobile_team""",
}

DATA = {
    "noun": """dataset table column row join key foreign_key primary_key index view materialized_view partition
    warehouse lake ingestion_job extract transform_step load_step backfill watermark snapshot delta changelog
    schema_drift null_value outlier duplicate_record missing_field encoding delimiter spreadsheet pivot_table
    dashboard chart histogram scatter_plot box_plot heat_map legend axis trend_line forecast residual seasonality
    cohort funnel retention_curve conversion_rate churn_score segment cluster centroid feature label target
    training_set holdout fold hyperparameter gradient loss learning_rate regularizer classifier regressor
    decision_tree forest boosting_round embedding vector distance_measure nearest_neighbour confusion_matrix
    precision recall threshold calibration_curve quantile percentile median variance standard_error
    confidence_interval hypothesis test_statistic sample_size effect_size covariate confounder treatment control
    survey questionnaire response_rate weighting_scheme imputation data_dictionary lineage_graph catalogue
    access_policy retention_rule audit_log notebook cell kernel_session query plan scan hash_join window_function
    aggregate group_total running_sum rank lag_column calendar_table timestamp time_series sensor_reading
    measurement unit conversion lookup reference_table golden_record merge_rule""",
    "adj": """sparse dense noisy clean skewed normal log_transformed categorical ordinal numeric missing
    imputed biased unbiased weighted unweighted seasonal stationary nonlinear linear monthly weekly daily hourly
    rolling cumulative normalised denormalised historical raw curated aggregated granular correlated independent
    censored truncated stratified random nested wide long duplicate anonymised unlabelled""",
    "verb": """join group aggregate pivot unpivot filter sort rank sample stratify impute winsorise normalise
    standardise encode bin smooth detrend forecast fit tune validate cross_validate evaluate compare plot
    visualise annotate label deduplicate reconcile audit profile describe summarise query materialise partition
    ingest stage load backfill refresh archive anonymise mask score cluster""",
    "person": """analyst statistician data_engineer data_steward research_lead survey_team forecasting_team
    dashboard_owner marketing_analyst warehouse_team biostatistician modeller consultant""",
}

FINANCE = {
    "noun": """ledger journal_entry trial_balance balance_sheet income_statement cash_flow accrual deferral
    depreciation amortisation goodwill impairment inventory receivable payable invoice credit_note purchase_order
    remittance bank_statement reconciliation variance budget forecast cost_centre overhead margin markup discount
    rebate commission royalty payroll withholding pension stipend bonus expense_report receipt mileage per_diem
    tax_return deduction exemption filing deadline audit_trail control segregation_of_duties approval_limit
    dividend share bond coupon yield maturity duration convexity spread swap option future forward premium
    strike_price hedge collateral margin_call counterparty clearing_house settlement custody portfolio benchmark
    drawdown volatility beta alpha correlation allocation rebalancing liquidity solvency leverage covenant loan
    mortgage principal interest instalment grace_period default_rate credit_score underwriting premium_income
    claim reserve actuarial_table annuity policyholder deductible endowment grant_budget donor fund trustee
    valuation discount_rate terminal_value cash_conversion working_capital burn_rate runway term_sheet cap_table
    dilution vesting_schedule escrow invoice_line currency_pair exchange_gain tariff subsidy""",
    "adj": """quarterly annual monthly overdue outstanding accrued deferred prepaid gross net taxable exempt
    fixed variable recurring one_off discretionary capital operating consolidated intercompany unaudited audited
    restated projected actual nominal real inflation_adjusted leveraged hedged secured unsecured subordinated
    senior junior liquid illiquid volatile conservative speculative compliant material immaterial unrealised
    realised undervalued""",
    "verb": """reconcile accrue amortise depreciate book post reverse adjust restate audit approve reimburse
    invoice bill collect settle net hedge allocate budget forecast model value discount price underwrite insure
    lend borrow refinance repay restructure consolidate disclose file report certify review benchmark rebalance
    diversify liquidate""",
    "person": """controller treasurer auditor bookkeeper accountant underwriter broker portfolio_manager
    credit_officer payroll_clerk finance_director grants_officer actuary tax_adviser""",
}

LAW = {
    "noun": """contract clause annex recital definition warranty indemnity limitation_of_liability termination
    notice_period renewal assignment subcontract confidentiality non_compete governing_clause arbitration
    mediation tribunal hearing pleading motion brief affidavit deposition subpoena discovery_request exhibit
    testimony witness plaintiff defendant appellant counsel judgment injunction damages remedy settlement
    precedent statute regulation directive bylaw ordinance permit licence trademark patent copyright claim_chart
    prior_art infringement royalty_term lease tenancy deposit eviction easement deed title mortgage_charge lien
    probate will trust beneficiary guardian custody adoption divorce maintenance prenuptial_agreement
    employment_contract dismissal grievance redundancy discrimination_claim whistleblower disclosure
    data_protection consent processing_record retention_period access_request breach_notice controller processor
    impact_assessment cookie_banner terms_of_service privacy_notice liability_cap force_majeure severability
    waiver amendment counterpart signature_block power_of_attorney board_resolution shareholder_agreement
    merger_filing due_diligence disclosure_letter tender bid procurement_rule compliance_policy sanction_list
    export_rule penalty fine appeal_deadline burden_of_proof standard_of_care negligence""",
    "adj": """binding enforceable void voidable unilateral mutual exclusive perpetual irrevocable implied express
    statutory contractual fiduciary punitive compensatory liquidated joint several vicarious reasonable material
    prior written oral sealed redacted privileged admissible hearsay pending appealed final interim procedural
    substantive retroactive applicable conflicting ambiguous standard negotiated executed unsigned""",
    "verb": """draft redline negotiate execute terminate renew assign amend waive enforce breach remedy litigate
    settle arbitrate mediate appeal plead depose cite distinguish overrule interpret construe certify notarise
    file serve disclose withhold redact comply register license infringe indemnify warrant represent advise
    review summarise""",
    "person": """paralegal solicitor in_house_counsel notary judge clerk arbitrator compliance_officer tenant
    landlord claimant contract_manager privacy_officer mediator""",
}
