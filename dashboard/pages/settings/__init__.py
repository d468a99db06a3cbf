from dashboard.pages import Page

page = Page(title="Settings", path="/settings", key=",", order=90)
