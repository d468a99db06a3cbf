from dashboard.pages import Page

page = Page(title="System", path="/system", key="h", order=80)
