# SPDX-License-Identifier: Apache-2.0
# Completion of brass(1) for bash. What there is, the program itself says.

_brass() {
	local brass=${COMP_WORDS[0]} sub=${COMP_WORDS[1]} word=${COMP_WORDS[COMP_CWORD]}
	local before=${COMP_WORDS[COMP_CWORD - 1]} words='' i n=0
	if [ "$COMP_CWORD" = 1 ]; then
		words="--help --version $("$brass" help 2>/dev/null |
			sed -n 's/^  \([a-z][a-z]*\)  *[a-z].*/\1/p')"
	elif [[ $word == -* ]]; then
		words=$("$brass" "$sub" --help 2>/dev/null | grep -oE -- '--[a-z]+')
	elif [[ $before == --as || $before == -a ]]; then
		words='create exec update mounts'
		[ "$sub" = explain ] || words='config process resources features state'
	else
		for ((i = 2; i < COMP_CWORD; i++)); do
			[[ ${COMP_WORDS[i]} == -* ]] || n=$((n + 1))
		done
		case $sub:$n in
		# compgen runs what it finds in its words, and the ids are strangers' ones.
		inspect:0 | call:0) words=$("$brass" ps --quiet --timeout 300 2>/dev/null |
			grep -xE '[A-Za-z0-9._-]+') ;;
		call:1) words=$("$brass" call --list 2>/dev/null | grep -E '^[A-Z]') ;;
		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -o default -F _brass brass
