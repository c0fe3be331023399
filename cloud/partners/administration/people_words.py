"""What the pages about users say, in English and Polish."""

from typing import Final

PEOPLE_WORDS: Final = {
    "users.new": ("New user", "Nowy użytkownik"),
    "users.find": ("Find by name", "Znajdź po nazwie"),
    "users.none": ("Nobody has such a name.", "Nikt nie ma takiej nazwy."),
    "users.add": ("Add the user", "Dodaj użytkownika"),
    "user.username": ("User name", "Nazwa użytkownika"),
    "user.username.hint": (
        "As they sign in, for instance their e-mail address.",
        "Jak przy logowaniu, na przykład adres e-mail.",
    ),
    "user.id": ("User id", "Identyfikator"),
    "user.you": ("you", "to Ty"),
    "user.roles": ("Roles", "Role"),
    "user.roles.ask": ("What {username} is", "Kim jest {username}"),
    "user.roles.save": ("Set these roles", "Ustaw te role"),
    "role.administrator": ("administrator", "administrator"),
    "role.member": ("member", "pracownik"),
    "role.long.administrator": (
        "Administrator: apps, webhooks, users, audit, keys",
        "Administrator: aplikacje, webhooki, użytkownicy, dziennik, klucze",
    ),
    "role.long.member": (
        "Member: works with records and devices",
        "Pracownik: pracuje z dokumentacją i urządzeniami",
    ),
    "user.factor": ("Second step", "Drugi krok"),
    "user.factor.set": ("set up", "skonfigurowany"),
    "user.factor.none": ("not set up", "nieskonfigurowany"),
    "user.factor.reset": ("Reset the second step", "Usuń drugi krok"),
    "user.state": ("State", "Stan"),
    "user.active": ("active", "aktywny"),
    "user.disabled": ("disabled", "wyłączony"),
    "user.disable": ("Disable", "Wyłącz"),
    "user.disable.means": (
        "They are signed out at once and cannot sign in; tokens that act for them stop within a minute.",
        "Osoba zostanie natychmiast wylogowana i nie będzie mogła się zalogować; tokeny działające w jej imieniu "
        "przestaną działać w ciągu minuty.",
    ),
    "user.enable": ("Enable again", "Włącz ponownie"),
    "user.enable.means": (
        "They may sign in again, with the same password.",
        "Będzie można znów się zalogować, tym samym hasłem.",
    ),
    "user.lost": ("Something was lost", "Coś przepadło"),
    "user.lost.why": (
        "Make sure who is asking: call them back. Either of these signs them out everywhere.",
        "Upewnij się, kto prosi: oddzwoń. Każda z tych czynności wylogowuje tę osobę wszędzie.",
    ),
    "user.password": ("Password", "Hasło"),
    "user.password.new": ("Make a new password", "Utwórz nowe hasło"),
    "user.password.made": (
        "A password is made and shown once. They change it after signing in.",
        "Hasło zostanie utworzone i pokazane jeden raz. Po zalogowaniu należy je zmienić.",
    ),
    "user.oneself": ("This is you", "To Ty"),
    "user.oneself.why": (
        "Nobody can disable themselves, give up their own role or reset their own second step, so that somebody always "
        "administers. Ask another administrator.",
        "Nikt nie może wyłączyć samego siebie, odebrać sobie roli ani usunąć własnego drugiego kroku, żeby zawsze był "
        "jakiś administrator. Zwróć się do innego administratora.",
    ),
    "user.did": ("What they did", "Co zrobił użytkownik"),
    "user.happened": ("What was done to them", "Co zrobiono z kontem"),
    "told.user": ("{name} is added", "Dodano: {name}"),
    "told.password": ("A new password for {name}", "Nowe hasło: {name}"),
    "done.roles_set": ("The roles are set.", "Role zostały ustawione."),
    "done.user_disabled": ("The user is disabled and signed out.", "Użytkownik został wyłączony i wylogowany."),
    "done.user_enabled": ("The user may sign in again.", "Użytkownik może się znów zalogować."),
    "done.factor_reset": (
        "The second step is reset. They set up a new one when they sign in.",
        "Drugi krok został usunięty. Nowy zostanie skonfigurowany przy logowaniu.",
    ),
    "refusal.user_unknown": ("There is no such user.", "Nie ma takiego użytkownika."),
    "refusal.username_malformed": (
        "A user name has 1 to 254 Latin letters, digits and signs without spaces, for instance an e-mail address.",
        "Nazwa użytkownika ma od 1 do 254 liter łacińskich, cyfr i znaków bez spacji, na przykład adres e-mail.",
    ),
    "refusal.role_unknown": ("Choose at least one role.", "Wybierz co najmniej jedną rolę."),
    "refusal.secrecy_level_exceeded": (
        "Nobody may add somebody who would see more than they do.",
        "Nie można dodać osoby, która widziałaby więcej niż Ty.",
    ),
    "refusal.not_oneself": (
        "This cannot be done to oneself; ask another administrator.",
        "Nie można tego zrobić samemu sobie; zwróć się do innego administratora.",
    ),
    "refusal.sign_in_busy": (
        "Too many passwords are being checked at this moment; try again in a few seconds.",
        "W tej chwili sprawdzanych jest zbyt wiele haseł; spróbuj ponownie za kilka sekund.",
    ),
}
