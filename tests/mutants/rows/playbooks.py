"""Playbooks: the bounds of everybody's, and how they are found and checked."""

from tests.mutants.row import row

BOUNDS = "engine/playbooks/bounds.py"
CONSULT = "engine/playbooks/consult.py"
MANIFEST = "engine/playbooks/manifest.py"
REGISTRY = "engine/playbooks/registry.py"
SCRIPT = "engine/playbooks/script.py"
TEST_BOUNDS = "tests/lua/test_bounds.py::"
BOUNDS_TESTS = "tests/lua/test_bounds.py::"
PLAY_CONFIG_LIFE = "tests/integration/catalog/test_play_config_life.py::"
PUBLISH_CHECKS = "tests/integration/catalog/test_publish_checks.py::"
TEST_REGISTRY = "tests/plugins/test_registry.py::"
REGISTRY_TESTS = "tests/plugins/test_registry.py::"
RULE_UPGRADES = "tests/integration/catalog/test_rule_upgrades.py::"
SCOPE = "tests/lua/test_scope.py::"

ROWS = (
    row(
        "a step draws numbers that a repeated click does not draw again",
        BOUNDS,
        "  safe.random, safe.randomseed = nil, nil -- `random",
        "  -- `random",
        BOUNDS_TESTS + "test_the_bounded_libraries_answer_as_the_real_ones[math.random-nil]",
    ),
    row(
        "a step sees what runs it",
        SCRIPT,
        ", {', '.join(hidden)}; local {given}",
        "; local {given}",
        SCOPE + "test_a_name_of_the_engines_cannot_be_written[DAY_MS]",
    ),
    row(
        "no playbook has early actions",
        SCRIPT,
        "{_set(playbook.reserves)}, {_set(playbook.early)}",
        "{_set(playbook.reserves)}, {_set(())}",
        TEST_BOUNDS + "test_a_bounded_program_does_what_it_did",
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
        TEST_REGISTRY + "test_an_entry_point_with_the_name_of_anothers_code",
    ),
    row(
        "a playbook may call an action like an event",
        MANIFEST,
        "if not VERB.fullmatch(verb) or verb in RESERVED_VERBS:",
        "if not VERB.fullmatch(verb):",
        TEST_REGISTRY + "test_one_whose_manifest_is_wrong[changes4-'paid']",
    ),
    row(
        "a playbook's form may be fetched from elsewhere",
        MANIFEST,
        'if not isinstance(reference, str) or not reference.startswith("#"):',
        "if not isinstance(reference, str):",
        TEST_REGISTRY + "test_one_whose_form_refers_to_elsewhere[extra0-'https://example.com/rules.json']",
    ),
    row(
        "one playbook that fails stops all",
        REGISTRY,
        (
            "        except (Exception, SystemExit) as error:  # noqa: BLE001  # a stranger's module "
            "may raise anything\n            registry"
        ),
        "        except PlaybookInvalid as error:\n            registry",
        REGISTRY_TESTS + "test_one_that_cannot_be_imported[no_such_module_anywhere-ModuleNotFoundError]",
    ),
    row(
        "a playbook that is switched off is loaded",
        REGISTRY,
        "            if playbook.code not in disabled:\n                registry.add",
        "            if True:\n                registry.add",
        REGISTRY_TESTS + "test_one_that_is_switched_off",
    ),
    row(
        "a stranger's playbook takes the place of one of ours",
        REGISTRY,
        "(pair[0].distribution != OWN_DISTRIBUTION, *msgspec",
        "(pair[0].distribution == OWN_DISTRIBUTION, *msgspec",
        REGISTRY_TESTS + "test_a_code_of_ours_stays_ours[aa_group_buy]",
    ),
    row(
        "of two playbooks with one code the second counts",
        REGISTRY,
        "    if code in registry.loaded:\n",
        "    if False:\n",
        REGISTRY_TESTS + "test_one_whose_code_is_taken",
    ),
)
