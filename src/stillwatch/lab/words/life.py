"""Content words of everyday topics: marketing, education, cooking, fiction."""

from __future__ import annotations

MARKETING = {
    "noun": """campaign brief tagline headline subheading call_to_action landing_page banner newsletter subject_line
    open_rate click_rate bounce_rate impression reach audience persona segment lookalike_list funnel lead
    lead_magnet webinar white_paper case_study testimonial review rating influencer sponsorship partnership
    affiliate_link coupon promotion bundle upsell cross_sell loyalty_programme referral brand_voice style_guide logo
    palette mood_board storyboard script voice_over thumbnail caption hashtag post_calendar reel podcast_episode
    press_release media_kit interview_question product_page description feature_list benefit comparison_table pricing
    tier trial onboarding_email drip_sequence reactivation survey_result focus_group insight positioning statement
    competitor share_of_voice search_ranking keyword meta_description backlink internal_link blog_post outline draft
    editorial_plan seasonal_sale launch_date waitlist event_booth flyer poster packaging_copy slogan jingle
    community_guideline moderator support_macro complaint apology refund_policy return_rate net_promoter_score
    attribution_model ad_group bid budget_split creative variant landing_test conversion retention churned_customer
    photo_shoot unboxing giveaway gift_card store_opening window_display trade_fair sample_box price_list brochure
    mailing_list welcome_message push_notification app_store_listing search_advert retail_partner market_report""",
    "adj": """catchy bold playful warm formal witty concise persuasive seasonal organic paid viral local premium
    affordable sustainable handmade limited exclusive fresh modern timeless authentic relatable urgent friendly
    professional inclusive targeted personalised branded sponsored evergreen trending minimalist colourful quirky
    heartfelt""",
    "verb": """launch promote pitch position rebrand tease announce headline caption rewrite shorten polish localise
    personalise segment target retarget nurture convert upsell survey test measure optimise schedule post repost boost
    sponsor moderate reply apologise thank invite remind reactivate storyboard script""",
    "person": """copywriter brand_manager community_manager shop_owner founder growth_lead designer editor
    customer_success_team agency event_planner social_media_intern""",
}

EDUCATION = {
    "noun": """lesson worksheet quiz exam rubric syllabus module learning_goal reading_list lecture seminar tutorial
    homework essay thesis paragraph outline argument counterargument conclusion citation bibliography footnote draft
    peer_review feedback grade mark scheme attendance office_hour study_group flash_card revision_plan mock_exam
    multiple_choice short_answer word_problem fraction decimal percentage ratio equation inequality polynomial
    quadratic function graph slope intercept triangle circle angle proof theorem lemma induction probability
    permutation sequence series limit derivative integral vocabulary grammar tense verb_form pronoun preposition idiom
    translation reading_passage comprehension_question poem stanza metaphor narrator character_study essay_prompt
    map timeline revolution empire treaty constitution election migration industrial_age trade_route archive source
    experiment hypothesis variable lab_report observation diagram model periodic_table molecule reaction force_diagram
    food_web ecosystem climate rock_cycle planet phase_of_the_moon classroom seating_plan parent_evening school_trip
    project_week presentation slide poster group_work debate role_play game reward_chart behaviour_plan
    learning_difficulty support_plan curriculum scholarship application personal_statement recommendation_letter""",
    "adj": """introductory advanced remedial bilingual interactive formative summative graded ungraded timed open_book
    collaborative independent written oral visual hands_on weekly final optional compulsory abstract concrete simple
    tricky historical literary scientific mathematical grammatical persuasive descriptive reflective age_appropriate
    differentiated inclusive structured""",
    "verb": """teach explain illustrate demonstrate revise practise memorise summarise paraphrase quote cite outline
    draft edit proofread grade mark assess quiz debate present discuss compare contrast prove simplify factor expand
    solve graph measure observe classify translate conjugate annotate reflect motivate scaffold differentiate""",
    "person": """teacher pupil tutor lecturer head_teacher parent classmate examiner librarian teaching_assistant
    exchange_student first_year_student home_schooler""",
}

COOKING = {
    "noun": """recipe ingredient pantry onion garlic ginger tomato pepper carrot potato cabbage spinach mushroom
    lentil chickpea bean rice noodle pasta flour yeast dough batter crust filling pastry sponge icing custard
    meringue caramel chocolate vanilla cinnamon cardamom cumin coriander turmeric paprika basil thyme rosemary
    parsley mint lemon lime orange apple pear berry plum banana coconut almond walnut sesame olive_oil butter cream
    yoghurt cheese egg chicken beef lamb pork salmon prawn tofu stock broth sauce gravy dressing marinade pickle
    jam chutney salad soup stew curry casserole roast grill barbecue stir_fry dumpling pancake waffle sandwich wrap
    snack picnic lunch_box dinner_party menu starter main_course dessert side_dish leftover shopping_list
    meal_plan portion serving calorie_count allergy substitute gluten lactose oven hob pan wok saucepan slow_cooker
    pressure_cooker blender whisk rolling_pin knife chopping_board thermometer timer sieve colander tray tin jar
    freezer fridge shelf_life fermentation sourdough_starter kombucha cheese_board spice_rack herb_garden""",
    "adj": """crispy tender juicy creamy spicy mild smoky tangy sweet sour bitter savoury fresh frozen tinned dried
    roasted grilled steamed poached fried baked raw ripe seasonal leftover quick hearty light vegan vegetarian
    gluten_free dairy_free low_salt high_protein cheap festive traditional fluffy chewy golden""",
    "verb": """chop dice slice mince grate peel crush toast roast bake fry saute simmer boil steam poach grill marinate
    season stir whisk fold knead proof rest chill freeze thaw reheat blend strain drain glaze garnish plate serve
    store substitute double halve caramelise reduce ferment pickle""",
    "person": """home_cook baker chef caterer flatmate dinner_guest toddler grandmother meal_planner beginner
    food_blogger barbecue_host""",
}

FICTION = {
    "noun": """story plot twist chapter scene dialogue narrator protagonist villain sidekick mentor rival heir
    orphan detective thief smuggler captain crew ship harbour lighthouse island reef storm voyage map compass
    treasure curse prophecy temple ruin labyrinth castle tower dungeon dragon wolf raven fox familiar witch wizard
    apprentice spell potion amulet sword shield armour tournament banquet throne crown council rebellion siege
    border village tavern inn market forest meadow river mountain pass desert caravan oasis city alley rooftop
    factory train station airship robot android colony planet starship engine_room airlock distress_signal
    alien archive memory_chip simulation mystery clue alibi suspect confession letter diary photograph portrait
    inheritance secret betrayal reunion romance wedding quarrel farewell dream nightmare ghost attic cellar garden
    childhood summer winter festival carnival orchestra painter poet song lullaby riddle game campaign_setting
    character_sheet dice_roll quest side_quest tavern_rumour guild faction world_map magic_system backstory motive
    flaw theme mood pacing cliffhanger epilogue blurb title pen_name""",
    "adj": """ancient haunted forgotten hidden cursed enchanted stolen broken moonlit misty silent crowded abandoned
    distant lonely fearless stubborn clumsy cunning loyal jealous grieving hopeful ruthless gentle mysterious
    whimsical gritty comic tragic melancholy suspenseful epic intimate surreal futuristic dystopian pastoral
    nostalgic unreliable""",
    "verb": """write rewrite outline imagine describe foreshadow reveal betray rescue chase escape discover decipher
    confess forgive wander sail duel bargain whisper remember forget return vanish transform summon banish haunt
    investigate interrogate unmask narrate voice sketch rhyme edit shorten expand brainstorm name""",
    "person": """author editor game_master player reader screenwriter illustrator beta_reader book_club
    poetry_group puppet_maker songwriter""",
}
