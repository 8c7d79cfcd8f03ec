# Completion of mailpolicy for bash. bash takes @ and : for ends of words, so the words are not bash's: the program gets
# the whole line up to the cursor, and what bash holds to be done already is taken off each answer.
_mailpolicy() {
    local program=$1 line=${COMP_LINE:0:COMP_POINT} answer word quote typed
    type -P -- "$program" >/dev/null || program=mailpolicy
    COMPREPLY=()
    # The word up to the cursor as it is typed, and how much of it bash does not replace.
    typed=${line##*[[:space:]]}
    local kept=${typed%"$2"}
    case $typed in
        \"* | \'*) quote=${typed:0:1} ;;
        *) quote= ;;
    esac
    while IFS=$'\t' read -r answer _; do
        if [[ $answer == :files ]]; then
            compopt -o default
            return
        fi
        [[ -n $quote ]] && word=$answer || printf -v word %q "$answer"
        [[ -n $quote ]] && word=${word#"${kept#"$quote"}"} || word=${word#"$kept"}
        COMPREPLY+=("$word")
    done < <("$program" completion --line "$line" 2>/dev/null)
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *@ ]] && compopt -o nospace
}
complete -F _mailpolicy mailpolicy
