"""``maskreg completion SHELL``: a completion script, made from the parsers themselves."""

from __future__ import annotations

from argparse import Action, ArgumentParser, Namespace
from collections.abc import Callable

from maskreg.cli import exits
from maskreg.cli.parser import VERBS, parser_of

_EPILOG = (
    'bash, zsh: eval "$(maskreg completion bash)" in the start-up file. '
    "fish: maskreg completion fish > ~/.config/fish/completions/maskreg.fish"
)


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``completion``."""
    parser.epilog = _EPILOG
    parser.add_argument("shell", choices=sorted(SHELLS), metavar="SHELL", help="bash, zsh or fish")


def run(args: Namespace) -> int:
    """Print the script."""
    print(SHELLS[args.shell]())
    return exits.DONE


def _options(verb: str) -> list[Action]:
    return [action for action in _actions(verb) if action.option_strings]


def _actions(verb: str) -> list[Action]:
    # argparse offers no other way to ask a parser what it knows
    return parser_of(verb)._actions


def _words(verb: str) -> list[str]:
    """Return options and fixed values that may follow a verb."""
    words = [text for action in _options(verb) for text in action.option_strings]
    return _fixed(verb) + words


def _fixed(verb: str) -> list[str]:
    """Return the words of which one stands behind a verb."""
    return [str(c) for a in _actions(verb) if not a.option_strings and a.choices for c in a.choices]


def _bash() -> str:
    cases = "\n".join(f'        {verb}) words="{" ".join(_words(verb))}" ;;' for verb in VERBS)
    firsts = "|".join(f'"2 {verb}"' for verb in VERBS if _fixed(verb))
    return f"""# bash completion of maskreg; words that are no option are completed as files
_maskreg() {{
    local words="" current="${{COMP_WORDS[COMP_CWORD]}}"
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W "{" ".join(VERBS)} --help --version" -- "$current"))
        return
    fi
    case "${{COMP_WORDS[1]}}" in
{cases}
    esac
    COMPREPLY=($(compgen -W "$words" -- "$current"))
    if [ -n "$current" ]; then return; fi
    case "$COMP_CWORD ${{COMP_WORDS[1]}}" in {firsts}) return ;; esac
    COMPREPLY=()
}}
complete -o default -F _maskreg maskreg"""


def _zsh() -> str:
    verbs = " ".join(_quoted(f"{verb}:{line}") for verb, line in VERBS.items())
    cases = "\n".join(f"        {verb}) words=({_described(verb)}) ;;" for verb in VERBS)
    firsts = "|".join(verb for verb in VERBS if _fixed(verb))
    return f"""#compdef maskreg
# zsh completion of maskreg; words that are no option are completed as files
_maskreg() {{
    local -a verbs words_of_verb
    verbs=({verbs})
    if (( CURRENT == 2 )); then
        _describe verb verbs
        return
    fi
    case "${{words[2]}}" in
{cases.replace("words=(", "words_of_verb=(")}
    esac
    if [[ "$PREFIX" == -* ]] || [[ $CURRENT == 3 && "${{words[2]}}" == ({firsts}) ]]; then
        _describe option words_of_verb
    else
        _files
    fi
}}
compdef _maskreg maskreg"""


def _described(verb: str) -> str:
    options = [(text, action.help or "") for action in _options(verb) for text in action.option_strings]
    return " ".join([*_fixed(verb), *(_quoted(f"{text}:{line}") for text, line in options)])


def _fish() -> str:
    lines = ["# fish completion of maskreg"]
    for verb, line in VERBS.items():
        lines.append(f"complete -c maskreg -n __fish_use_subcommand -f -a {verb} -d {_quoted(line)}")
    for verb in VERBS:
        seen = f"complete -c maskreg -n '__fish_seen_subcommand_from {verb}'"
        for action in _actions(verb):
            if not action.option_strings:
                if action.choices:
                    lines.append(f"{seen} -f -a {_quoted(' '.join(map(str, action.choices)))}")
                continue
            flags = "".join(
                f" -l {text[2:]}" if text.startswith("--") else f" -s {text[1:]}"
                for text in action.option_strings
            )
            value = "" if action.nargs == 0 else " -r"
            lines.append(f"{seen}{flags}{value} -d {_quoted(action.help or '')}")
    return "\n".join(lines)


def _quoted(text: str) -> str:
    return "'" + text.replace("%%", "%").replace("'", r"'\''") + "'"


SHELLS: dict[str, Callable[[], str]] = {"bash": _bash, "fish": _fish, "zsh": _zsh}
