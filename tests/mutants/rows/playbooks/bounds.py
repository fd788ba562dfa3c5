"""What a stranger's playbook may be, say and do."""

from tests.mutants.row import row

BOUNDS = "engine/playbooks/bounds.py"
SCRIPT = "engine/playbooks/script.py"
CONSULT = "engine/playbooks/consult.py"
MANIFEST = "engine/playbooks/manifest.py"
REGISTRY = "engine/playbooks/registry.py"

GATE = "tests/lua/test_gate.py::"
PLAY_CONFIG_LIFE = "tests/integration/catalog/test_play_config_life.py::"
PUBLISH_CHECKS = "tests/integration/catalog/test_publish_checks.py::"
RULE_UPGRADES = "tests/integration/catalog/test_rule_upgrades.py::"
SCOPE = "tests/lua/test_scope.py::"
STEPS = "tests/lua/test_steps.py::"
TESTS_OF_BOUNDS = "tests/lua/test_bounds.py::"
TESTS_OF_REGISTRY = "tests/plugins/test_registry.py::"
TRIAL = "tests/lua/test_trial.py::"

ROWS = (
    row(
        "a step loops for ever",
        BOUNDS,
        '            if text in ("do", "repeat"):\n                parts.append(_TICK)\n',
        "",
        TESTS_OF_BOUNDS + "test_whatever_repeats_without_end_runs_out_of_its_budget",
    ),
    row(
        "a step calls itself for ever",
        BOUNDS,
        "            at_parameters = False\n            parts.append(_TICK)",
        "            at_parameters = False",
        TESTS_OF_BOUNDS + "test_whatever_repeats_without_end_runs_out_of_its_budget",
    ),
    row(
        "a step uses any amount of memory",
        BOUNDS,
        "  if memory_kb('count') > memory_kb_max then stop('step used",
        "  if false then stop('step used",
        TESTS_OF_BOUNDS + "test_what_eats_memory_is_stopped",
    ),
    row(
        "a budget is spent once and for all",
        BOUNDS,
        "  ticks_left, memory_kb_max, reason = {TICKS_MAX}, memory_kb('count') + {MEMORY_KB_MAX}, nil",
        (
            "  ticks_left, memory_kb_max, reason = ticks_left > 0 and ticks_left or {TICKS_MAX}, "
            "memory_kb('count') + {MEMORY_KB_MAX}, nil"
        ),
        STEPS + "test_every_step_of_a_batch_has_a_budget_of_its_own[standalone]",
    ),
    row(
        "a text may be of any length",
        BOUNDS,
        "  if not (bytes <= {TEXT_BYTES_MAX}) then stop('step made",
        "  if false then stop('step made",
        TESTS_OF_BOUNDS + "test_what_eats_memory_is_stopped",
    ),
    row(
        "a pattern costs nothing",
        "engine/playbooks/bounds.py",
        "  spend(ways / 256, 2, 'the pattern of",
        "  spend(0, 2, 'the pattern of",
        "tests/lua/test_bounds.py::test_whatever_repeats_without_end_runs_out_of_its_budget",
    ),
    row(
        "a step draws numbers that a repeated click does not draw again",
        BOUNDS,
        "  safe.random, safe.randomseed = nil, nil -- `random",
        "  -- `random",
        TESTS_OF_BOUNDS + "test_the_bounded_libraries_answer_as_the_real_ones[math.random-nil]",
    ),
    row(
        "a step may call its own tick",
        BOUNDS,
        (
            '    if text == "tick" and before not in (".", ":"):\n'
            "        raise _invalid(line, \"the name 'tick' belongs to the engine\")\n"
        ),
        "",
        TESTS_OF_BOUNDS + "test_what_would_get_out_of_bounds_is_refused_with_its_line",
    ),
    row(
        "a step closes a block that is not its own",
        BOUNDS,
        'elif text in ("end", "until") and (not blocks or blocks.pop()[0] != text):\n        raise',
        'elif text in ("end", "until") and blocks and blocks.pop()[0] != text:\n        raise',
        TESTS_OF_BOUNDS + "test_what_would_get_out_of_bounds_is_refused_with_its_line",
    ),
    row(
        "a method of a text is not bounded",
        BOUNDS,
        '_COSTLY_METHODS = frozenset({"rep", "find", "match", "gmatch", "gsub"})',
        '_COSTLY_METHODS = frozenset({"find", "match", "gmatch", "gsub"})',
        TESTS_OF_BOUNDS + "test_what_would_get_out_of_bounds_is_refused_with_its_line",
    ),
    row(
        "a step talks to Redis",
        SCRIPT,
        '"redis, server, KEYS',
        '"KEYS',
        SCOPE + "test_of_what_redis_offers_a_step_sees_what_is_pure",
    ),
    row(
        "a step sees the keys and words of its batch",
        SCRIPT,
        "KEYS, ARGV, _G,",
        "_G,",
        SCOPE + "test_of_what_redis_offers_a_step_sees_what_is_pure",
    ),
    row(
        "a step changes metatables",
        SCRIPT,
        '"setmetatable, getmetatable',
        '"getmetatable',
        SCOPE + "test_of_what_redis_offers_a_step_sees_what_is_pure",
    ),
    row(
        "a step sees what runs it",
        SCRIPT,
        ", {', '.join(hidden)}; local {given}",
        "; local {given}",
        SCOPE + "test_a_name_of_the_engines_cannot_be_written[DAY_MS]",
    ),
    row(
        "a step catches its own end",
        SCRIPT,
        "coroutine, pcall, xpcall, ",
        "coroutine, xpcall, ",
        SCOPE + "test_of_what_redis_offers_a_step_sees_what_is_pure",
    ),
    row(
        "the trial may write",
        SCRIPT,
        '.replace("#!lua", "#!lua flags=no-writes", 1)',
        "",
        "tests/lua/test_trial.py",
        equivalent="a step reaches no command at all; the flag is a second line",
    ),
    row(
        "the line of an error is one too small",
        SCRIPT,
        '.count("\\n") + 2',
        '.count("\\n") + 1',
        TRIAL + "test_what_does_not_compile_or_end_is_told_of",
    ),
    row(
        "no playbook has early actions",
        SCRIPT,
        "{_set(playbook.reserves)}, {_set(playbook.early)}",
        "{_set(playbook.reserves)}, {_set(())}",
        "tests/lua/test_contract.py::test_an_early_verb_works_before_the_start_and_no_other_does",
    ),
    row(
        "the script depends on the order in which playbooks are found",
        SCRIPT,
        "sorted(playbooks, key=lambda playbook: playbook.code)",
        "list(playbooks)",
        SCOPE + "test_the_script_is_the_same_in_whatever_order_playbooks_are_found",
    ),
    row(
        "the clock counts full seconds",
        SCRIPT,
        "time[1] * 1000 + math.floor(time[2] / 1000)",
        "time[1] * 1000",
        GATE + "test_the_clock_is_redis_own_to_the_millisecond[standalone]",
    ),
    row(
        "a session may have more stock than its config",
        CONSULT,
        "    if most > stock:\n",
        "    if False:\n",
        PUBLISH_CHECKS + "test_a_session_cannot_sell_more_than_there_is",
    ),
    row(
        "two sessions may have one suffix",
        CONSULT,
        "    if len(suffixes - FIELDS_OF_CONFIG) < len(sessions):\n        raise",
        "    if not suffixes and sessions:\n        raise",
        PLAY_CONFIG_LIFE + "test_a_playbook_that_fails_publishes_nothing[twins]",
    ),
    row(
        "a session may be called like a field of the config",
        CONSULT,
        "len(suffixes - FIELDS_OF_CONFIG) < len(sessions)",
        "len(suffixes) < len(sessions)",
        PUBLISH_CHECKS + "test_a_playbook_that_fails_publishes_nothing",
    ),
    row(
        "a session may write the engine's cells",
        CONSULT,
        "    if taken := ENGINES_CELLS & cells.keys():\n",
        "    if taken := set[str]():\n",
        PUBLISH_CHECKS + "test_a_playbook_that_fails_publishes_nothing",
    ),
    row(
        "a session may wake at a time without a zone",
        CONSULT,
        "if session.wake_at is not None and session.wake_at.tzinfo is None:",
        "if False:",
        PUBLISH_CHECKS + "test_a_playbook_that_fails_publishes_nothing",
    ),
    row(
        "an upgrade changes the rules that are stored",
        CONSULT,
        "playbook.upgrade_rules(copy.deepcopy(rules), version)",
        "playbook.upgrade_rules(rules, version)",
        RULE_UPGRADES + "test_a_draft_that_cannot_be_upgraded_stays_as_it_is_and_says_so[boom]",
    ),
    row(
        "whatever a playbook raises is an internal error",
        CONSULT,
        '    except Exception as error:\n        log.exception("playbook %s: its %s',
        '    except ZeroDivisionError as error:\n        log.exception("playbook %s: its %s',
        PLAY_CONFIG_LIFE + "test_a_playbook_that_fails_publishes_nothing[no_sessions_at_all]",
    ),
    row(
        "a playbook of another SDK is loaded",
        MANIFEST,
        "    if not fits:\n        raise",
        "    if False:\n        raise",
        TESTS_OF_REGISTRY + "test_an_entry_point_with_the_name_of_anothers_code",
    ),
    row(
        "a playbook may call an action like an event",
        MANIFEST,
        "if not VERB.fullmatch(verb) or verb in RESERVED_VERBS:",
        "if not VERB.fullmatch(verb):",
        TESTS_OF_REGISTRY + "test_one_whose_manifest_is_wrong",
    ),
    row(
        "a playbook may call an action join",
        MANIFEST,
        "        if verb in OPENING_VERBS:\n",
        "        if False:\n",
        TESTS_OF_REGISTRY + "test_one_whose_manifest_is_wrong",
    ),
    row(
        "a playbook may have an empty step",
        MANIFEST,
        "    if not playbook.step.strip():\n",
        "    if False:\n",
        TESTS_OF_REGISTRY + "test_one_whose_manifest_is_wrong",
    ),
    row(
        "a playbook's form may be fetched from elsewhere",
        MANIFEST,
        'if not isinstance(reference, str) or not reference.startswith("#"):',
        "if not isinstance(reference, str):",
        TESTS_OF_REGISTRY + "test_one_whose_form_refers_to_elsewhere",
    ),
    row(
        "one playbook that fails stops all",
        REGISTRY,
        (
            "        except (Exception, SystemExit) as error:  # noqa: BLE001  # a stranger's "
            "module may raise anything\n            registry"
        ),
        "        except PlaybookInvalid as error:\n            registry",
        TESTS_OF_REGISTRY + "test_one_that_cannot_be_imported[no_such_module_anywhere-ModuleNotFoundError]",
    ),
    row(
        "a playbook that is switched off is loaded",
        REGISTRY,
        "            if playbook.code not in disabled:\n                registry.add",
        "            if True:\n                registry.add",
        TESTS_OF_REGISTRY + "test_one_that_is_switched_off",
    ),
    row(
        "a stranger's playbook takes the place of one of ours",
        REGISTRY,
        "(pair[0].distribution != OWN_DISTRIBUTION, *msgspec",
        "(pair[0].distribution == OWN_DISTRIBUTION, *msgspec",
        TESTS_OF_REGISTRY + "test_a_code_of_ours_stays_ours[aa_group_buy]",
    ),
    row(
        "of two playbooks with one code the second counts",
        REGISTRY,
        "    if code in registry.loaded:\n",
        "    if False:\n",
        TESTS_OF_REGISTRY + "test_one_whose_code_is_taken",
    ),
    row(
        "a disabled code that is misspelt goes unnoticed",
        REGISTRY,
        "tuple(sorted(disabled - codes - {*registry.quarantined}))",
        "()",
        TESTS_OF_REGISTRY + "test_one_that_is_switched_off_and_is_none",
    ),
)
