#compdef mailpolicy
# Completion of mailpolicy for zsh.
_mailpolicy() {
    local line answer text
    local -a words_there shown
    while IFS= read -r line; do
        if [[ $line == :files ]]; then
            compset -P '--*='
            _files
            return
        fi
        answer=${line%%$'\t'*}
        text=${line#"$answer"}
        words_there+=("$answer")
        shown+=("${answer}${text:+  -- ${text#$'\t'}}")
    done < <("${(Q)words[1]}" completion -- words "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)
    (( ${#words_there} )) && compadd -l -d shown -a words_there
}
if [[ $funcstack[1] == _mailpolicy ]]; then
    _mailpolicy "$@"
else
    compdef _mailpolicy mailpolicy
fi
