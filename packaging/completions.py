"""Completion scripts for bash, zsh and fish, as text, from the table in commands.py.

Layer: packaging (build time). User: generate.py.
SPDX-License-Identifier: Apache-2.0
"""

SPDX = "# SPDX-License-Identifier: Apache-2.0"
MADE = "Made from `caisson-runtime help`; the build writes it anew."

# What caisson-nest has beside the runtime's commands; tests/packaging holds it against caisson/nest/main.cc.
NEST_COMMANDS = {
    "forget": "remove the data that a nest which is gone left behind",
    "supervisor": "tell which process answers a nest's trapped calls",
    "upgrade": "replace the supervisor of a nest that runs by this executable",
}


# The flags that it takes before the command and at create and run; tests/packaging holds them against command_line.cc.
NEST_FLAGS = {
    "grants": ("what the nest is given", ["default", "none", "mount", "cgroup", "net", "sysctl", "mknod", "fuse", "tun", "rlimit", "priority",
                                          "modules", "trusted-xattr", "bpf", "kmsg", "loop", "kvm", "device:"]),
    "profile": ("how /proc and /sys are closed", ["compat", "hardened", "minimal"]),
}


def words_of(flags):
    return " ".join(f"--{flag.name}" + (f" -{flag.alias}" if flag.alias else "") for flag in flags)


def pattern_of(flags):
    return "|".join(words_of(flags).split())


# bash: the flags of each command, and what their values are, as cases of two functions; the rest is fixed.

BASH = """# bash completion for caisson, caisson-runtime and caisson-nest. %(made)s
%(spdx)s

# Sets `flags`, `valued` (those that take a value) and `names_container` for a command; '' is before the command.
_caisson_table() {
  names_container=
  case $1 in
%(table)s
    *) flags='--help -h' valued= ;;
  esac
}

# Proposes values for flag $2 of command $1. Fails for one that it knows nothing of.
_caisson_value() {
  case $1:$2 in
%(values)s
    *) return 1 ;;
  esac
}

# A command of caisson's own. What follows its arguments is another program's.
_caisson_own() {
  local i at word=$2 flag='' flags valued names_container
  _caisson_table "caisson-$1"
  for ((i = 2; i < COMP_CWORD; i++)); do
    at=${COMP_WORDS[i]} flag=''
    if [[ " $valued " == *" $at "* ]]; then
      [[ ${COMP_WORDS[i + 1]} == = ]] && ((i++))
      flag=$at
      ((++i))
    elif [[ $at != -* || $at == -- ]]; then
      compopt -o default 2>/dev/null
      return
    fi
  done
  [[ $word == = ]] && word=
  if [[ -n $flag && $i -gt $COMP_CWORD ]] || [[ -n $flag && $i -eq $COMP_CWORD && ${COMP_WORDS[COMP_CWORD - 1]} == = ]]; then
    _caisson_value "caisson-$1" "$flag"
  elif [[ $word == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$word")
  elif [[ $1 == trace ]]; then
    mapfile -t COMPREPLY < <(compgen -c -- "$word")
  fi
}

_caisson() {
  local word=${COMP_WORDS[COMP_CWORD]} program=${COMP_WORDS[0]} commands='%(commands)s'
  local flags valued names_container command='' flag='' root='' arguments=0 i=1 at
  COMPREPLY=()
  case ${program##*/} in
    caisson)
      if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W 'runtime nest %(own)s help' -- "$word")
        return
      fi
      if [[ " %(own)s " == *" ${COMP_WORDS[1]} "* ]]; then
        _caisson_own "${COMP_WORDS[1]}" "$word"
        return
      fi
      [[ ${COMP_WORDS[1]} == nest ]] && commands+=' %(nest)s'
      i=2
      ;;
    *nest) commands+=' %(nest)s' ;;
  esac
  # What is before the cursor: the command, the number of its arguments, and the flag whose value is being typed.
  _caisson_table ''
  [[ $commands == *' %(nest)s' ]] && flags+=' %(nest_flags)s' valued+=' %(nest_flags)s'
  for ((; i < COMP_CWORD; i++)); do
    at=${COMP_WORDS[i]}
    if [[ " $valued " == *" $at "* ]]; then
      [[ ${COMP_WORDS[i + 1]} == = ]] && ((i++))
      if ((i + 1 >= COMP_CWORD)); then
        flag=$at
        [[ $word == = ]] && word=
        break
      fi
      ((i++))
      [[ -z $command && $at == --root ]] && root=${COMP_WORDS[i]}
    elif [[ $at == -* ]]; then
      continue
    elif [[ -z $command ]]; then
      command=$at
      _caisson_table "$command"
      [[ $commands == *' %(nest)s' && $command =~ ^(create|run)$ ]] && flags+=' %(nest_flags)s' valued+=' %(nest_flags)s'
    else
      ((arguments++))
      # The rest of the line is another program's.
      [[ $command == exec || $command == ps ]] && break
    fi
  done
  if [[ -n $flag ]]; then
    _caisson_value "$command" "$flag"
  elif [[ $word == -* ]] && ! [[ $command =~ ^(exec|ps)$ && $arguments -gt 0 ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$word")
  elif [[ -z $command ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$word")
  elif [[ $command == help ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$word")
  elif [[ -n $names_container && $arguments == 0 ]]; then
    [[ ${program##*/} == caisson ]] && program="$program ${COMP_WORDS[1]}"
    # shellcheck disable=SC2086 # the program may be two words
    mapfile -t COMPREPLY < <(compgen -W "$(command $program ${root:+--root "$root"} list --quiet 2>/dev/null)" -- "$word")
  elif [[ $command == kill && $arguments == 1 ]]; then
    mapfile -t COMPREPLY < <(compgen -A signal -- "$word")
  elif [[ $command == exec ]]; then
    compopt -o default 2>/dev/null
  fi
}

complete -F _caisson caisson caisson-runtime caisson-nest
"""


def bash_table(program):
    rows = [("''", program.flags, False)] + [("|".join(c.names), c.flags, c.takes_id) for c in program.commands]
    rows.append(("|".join(NEST_COMMANDS), [], False))
    rows += [(f"caisson-{c.name}", c.flags, False) for c in program.own]
    out = []
    for name, flags, takes_id in rows:
        valued = words_of([flag for flag in flags if flag.takes_value])
        out.append(f"    {name}) flags='{words_of(flags)}' valued='{valued}'{' names_container=1' if takes_id else ''} ;;")
    return "\n".join(out)


def bash_values(program):
    out = []
    for name, flags in [("", program.flags)] + [(c.name, c.flags) for c in program.commands] + [
            (f"caisson-{c.name}", c.flags) for c in program.own]:
        for flag in flags:
            if flag.choices:
                action = f"compgen -W '{' '.join(flag.choices)}'"
            elif flag.kind:
                action = f"compgen -{'d' if flag.kind == 'directory' else 'f'}"
            else:
                continue
            cases = "|".join(f"{name}:{word}" for word in words_of([flag]).split())
            out.append(f"    {cases}) mapfile -t COMPREPLY < <({action} -- \"$word\") ;;")
    for name, (_, words) in NEST_FLAGS.items():
        cases = "|".join(f"{command}:--{name}" for command in ("", "create", "run"))
        out.append(f"    {cases}) mapfile -t COMPREPLY < <(compgen -W '{' '.join(words)}' -- \"$word\") ;;")
    return "\n".join(out)


def bash(program):
    commands = " ".join(name for c in program.commands for name in c.names) + " help"
    return BASH % {"made": MADE, "spdx": SPDX, "table": bash_table(program), "values": bash_values(program),
                   "commands": commands, "nest": " ".join(NEST_COMMANDS),
                   "nest_flags": " ".join(f"--{name}" for name in NEST_FLAGS), "own": " ".join(c.name for c in program.own)}


# zsh: one _arguments specification a flag.

ZSH = """#compdef caisson caisson-runtime caisson-nest
# zsh completion for caisson, caisson-runtime and caisson-nest. %(made)s
%(spdx)s

_caisson_containers() {
  local -a ids
  ids=(${(f)"$(_call_program containers $_caisson_program ${opt_args[--root]:+--root ${opt_args[--root]}} list --quiet 2>/dev/null)"})
  compadd -a ids
}

_caisson_commands() {
  local -a commands
  commands=(
%(commands)s
    'help:show help'
  )
  [[ $_caisson_program == *nest ]] && commands+=(%(nest)s)
  _describe command commands
}

_caisson_of_program() {
  local curcontext=$curcontext state line ret=1
  local -A opt_args
  local -a own
  [[ $_caisson_program == *nest ]] && own=(%(nest_flags)s)
  _arguments -C $own \\
%(globals)s
    '1:command:_caisson_commands' \\
    '*::argument:->argument' && ret=0
  [[ $state == argument ]] || return ret
  case $words[1] in
%(cases)s
    help) _arguments '1:command:_caisson_commands' && ret=0 ;;
    forget|supervisor|upgrade) _message 'container ID' ;;
  esac
  return ret
}

_caisson() {
  local _caisson_program=$words[1]
  if [[ ${words[1]:t} != caisson ]]; then
    _caisson_of_program
  elif ((CURRENT == 2)); then
    _values command 'runtime[a strict OCI runtime]' 'nest[containers that can hold container engines]' %(own)s
  elif [[ $words[2] == (%(own_names)s) ]]; then
    shift words
    ((CURRENT--))
    case $words[1] in
%(own_cases)s
    esac
  else
    _caisson_program="$words[1] $words[2]"
    shift words
    ((CURRENT--))
    _caisson_of_program
  fi
}

_caisson "$@"
"""


def zsh_text(text):
    for mark in "\\[]:":
        text = text.replace(mark, "\\" + mark)
    return text.replace("'", "'\\''")


def zsh_nest_flag(name):
    text, words = NEST_FLAGS[name]
    return f"'--{name}=[{zsh_text(text)}]:value:({' '.join(map(zsh_text, words))})'"


def zsh_flag(flag):
    if flag.choices:
        value = f":value:({' '.join(flag.choices)})"
    else:
        value = {"directory": ":directory:_directories", "file": ":file:_files", "": ":value:"}[flag.kind] if flag.takes_value else ""
    long = f"--{flag.name}" + ("=" if flag.takes_value else "")
    text = f"'[{zsh_text(flag.help)}]{value}'"
    star = "'*'" if flag.repeats else ""
    if not flag.alias:
        return f"{star}{long}{text}"
    short = f"-{flag.alias}" + ("+" if flag.takes_value else "")
    exclude = "" if flag.repeats else f"'(--{flag.name} -{flag.alias})'"
    return f"{star}{exclude}{{{long},{short}}}{text}"


def zsh_case(command):
    specs = [zsh_flag(flag) for flag in command.flags]
    if command.takes_id:
        specs.append("'1:container:_caisson_containers'")
    rest = {"kill": "'2:signal:_signals'", "exec": "'*:::command:_normal'", "ps": "'*::option:'"}.get(command.name)
    if rest:
        specs.append(rest)
    return f"    {'|'.join(command.names)})\n      _arguments \\\n        " + " \\\n        ".join(specs) + " && ret=0\n      ;;"


def zsh_own(command):
    rest = "'*::command:_normal'" if command.name == "trace" else "'1:process or container:'"
    return f"      {command.name})\n        _arguments \\\n          " + " \\\n          ".join(
        [zsh_flag(flag) for flag in command.flags] + [rest]) + "\n        ;;"


def zsh(program):
    names = [(name, c.summary) for c in program.commands for name in c.names]
    return ZSH % {
        "made": MADE, "spdx": SPDX,
        "commands": "\n".join(f"    '{name}:{zsh_text(text)}'" for name, text in names),
        "nest_flags": " ".join(map(zsh_nest_flag, NEST_FLAGS)),
        "nest": " ".join(f"'{name}:{zsh_text(text)}'" for name, text in NEST_COMMANDS.items()),
        "globals": "\n".join(f"    {zsh_flag(flag)} \\" for flag in program.flags),
        "cases": "\n".join(zsh_case(c) for c in program.commands),
        "own": " ".join(f"'{c.name}[{zsh_text(c.summary)}]'" for c in program.own),
        "own_names": "|".join(c.name for c in program.own),
        "own_cases": "\n".join(zsh_own(c) for c in program.own),
    }


# fish: one `complete` a flag. caisson-nest wraps caisson-runtime.

def fish_text(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


FISH = """# fish completion for caisson-runtime. %(made)s
%(spdx)s

function __caisson_containers
    set -l words (commandline -opc)
    set -l root
    if set -l at (contains -i -- --root $words)
        set root --root $words[(math $at + 1)]
    end
    command $words[1] $root list --quiet 2>/dev/null
end

complete -c caisson-runtime -f
%(lines)s
"""
FISH_NEST = f"""# fish completion for caisson-nest: the runtime's, and its own commands.
{SPDX}

complete -c caisson-nest -w caisson-runtime
""" + "".join(f"complete -c caisson-nest -n __fish_use_subcommand -a {name} -d {fish_text(text)}\n" for name, text in NEST_COMMANDS.items()) + "".join(
    f"complete -c caisson-nest -l {name} -x -a '{' '.join(words)}' -d {fish_text(text)}\n" for name, (text, words) in NEST_FLAGS.items())
FISH_CAISSON = f"""# fish completion for caisson: which program it is to be, and its own commands.
{SPDX}

complete -c caisson -f -n __fish_use_subcommand -a runtime -d 'a strict OCI runtime'
complete -c caisson -f -n __fish_use_subcommand -a nest -d 'containers that can hold container engines'
"""


def fish_flag(flag, condition, program="caisson-runtime"):
    value = ""
    if flag.choices:
        value = f" -x -a '{' '.join(flag.choices)}'"
    elif flag.takes_value:
        value = {"directory": " -x -a '(__fish_complete_directories)'", "file": " -r -F", "": " -x"}[flag.kind]
    short = f" -s {flag.alias}" if flag.alias else ""
    return f"complete -c {program} -n {condition} -l {flag.name}{short}{value} -d {fish_text(flag.help)}"


def fish_caisson(program):
    lines = []
    for command in program.own:
        lines.append(f"complete -c caisson -n __fish_use_subcommand -a {command.name} -d {fish_text(command.summary)}")
        lines += [fish_flag(flag, f"'__fish_seen_subcommand_from {command.name}'", "caisson") for flag in command.flags]
    return FISH_CAISSON + "\n".join(lines) + "\n"


def fish(program):
    lines = [fish_flag(flag, "__fish_use_subcommand") for flag in program.flags]
    for command in program.commands:
        for name in command.names:
            lines.append(f"complete -c caisson-runtime -n __fish_use_subcommand -a {name} -d {fish_text(command.summary)}")
        seen = f"'__fish_seen_subcommand_from {' '.join(command.names)}'"
        lines += [fish_flag(flag, seen) for flag in command.flags]
        if command.takes_id:
            lines.append(f"complete -c caisson-runtime -n {seen} -a '(__caisson_containers)'")
    return FISH % {"made": MADE, "spdx": SPDX, "lines": "\n".join(lines)}
